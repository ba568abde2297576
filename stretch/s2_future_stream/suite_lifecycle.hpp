// Who waits for whom, what becomes of values nobody gets, and who learns why.
#pragma once

#include "suite_support.hpp"

namespace future_stream_suite {

TEST(Lifecycle, ASlowConsumerHoldsUpItsProducers) {
  const auto busy = std::make_shared<workbook::Gate>();
  const auto done = std::make_shared<workbook::Gate>();
  const FutureStream<int> stream(3);
  EXPECT_TRUE(stream.send(forever, -1));
  std::jthread consumer([=] {
    EXPECT_TRUE(stream.range(forever, [&](int) -> Result<void> {
      busy->open();
      done->wait();
      return {};
    }));
  });
  busy->wait();
  EXPECT_EQ(flood(stream, 3, 30), 3u)
      << "the consumer is at its first value, and the stream has room for 3";
  stream.close();
  done->open();
}

TEST(Lifecycle, AStageHoldsTwoValuesAtMost) {
  const auto busy = std::make_shared<workbook::Gate>();
  const auto done = std::make_shared<workbook::Gate>();
  const FutureStream<int> stream(2);
  EXPECT_TRUE(stream.send(forever, -1));
  std::jthread consumer([=] {
    EXPECT_TRUE(five_stages(forever, stream).range(forever, [&](int) -> Result<void> {
      busy->open();
      done->wait();
      return {};
    }));
  });
  busy->wait();
  const auto taken = flood(stream, 2, 60);
  EXPECT_GE(taken, 2u) << "the stream has room for 2";
  EXPECT_LE(taken, 2u + 5 * 2) << "the consumer is at its first value; the producer is far ahead "
                                  "of it. Which stage takes values that nobody asked for?";
  stream.close();
  done->open();
}

// Runs range() on another thread until it waits for a value, then calls `end`; what range returned.
template <class End>
std::string range_until(const FutureStream<int>& stream, const Context& context, End end) {
  workbook::Gate first;
  std::string result;
  std::jthread consumer([&] {
    result = show(stream.range(context, [&](int) -> Result<void> {
      first.open();
      return {};
    }));
  });
  EXPECT_TRUE(first.wait_for());
  end();
  consumer.join();
  return result;
}

TEST(Lifecycle, AnEndingContextWakesAConsumerThatWaits) {
  for (int who = 0; who < 4; ++who) {
    auto source = with_cancel(forever);
    const auto context_of = [&](int i) { return i == who ? source.context() : forever; };
    const FutureStream<int> stream;
    EXPECT_TRUE(stream.send(forever, 1));
    auto mapped = map<int>(context_of(0), stream, same<int>);
    auto filtered = filter(context_of(1), mapped, all<int>);
    auto taken = take(context_of(2), filtered, 5);
    EXPECT_EQ(range_until(taken, context_of(3), [&] { source.cancel(); }), "error cancelled")
        << "context " << who << " of map, filter, take, range";
    EXPECT_EQ(show(stream.send(forever, 1)), "error cancelled");
  }
}

TEST(Lifecycle, ACancellationByHandWakesAConsumerThatWaits) {
  const FutureStream<int> stream;
  EXPECT_TRUE(stream.send(forever, 1));
  EXPECT_EQ(range_until(stream, forever, [&] { stream.cancel(failure(Errc::unavailable)); }),
            "error unavailable");
}

TEST(Lifecycle, ProducersThatAreBusyAreTold) {
  const FutureStream<int> stream;
  std::jthread producer([stream] {
    EXPECT_TRUE(stream.send(forever, 1));
    EXPECT_FALSE(stream.producers().sleep_for(workbook::patience))
        << "take() has had enough, and the producer's context never ended";
  });
  EXPECT_EQ(all_of(take(forever, stream, 1)), "1 success");
}

TEST(Lifecycle, AFunctionIsNotCalledAgainOnceItsContextHasEnded) {
  auto source = with_cancel(forever);
  const FutureStream<int> stream(5);
  for (int i = 1; i <= 5; ++i) EXPECT_TRUE(stream.send(forever, i));
  int mapped_calls = 0;
  auto mapped = map<int>(source.context(), stream, [&](int value) -> Result<int> {
    if (++mapped_calls == 2) source.cancel();
    return value;
  });
  const auto seen = all_of(mapped);
  EXPECT_TRUE(seen.ends_with("error cancelled")) << seen;
  EXPECT_EQ(mapped_calls, 2) << "map's context ended during the second call";

  auto other = with_cancel(forever);
  const FutureStream<int> numbers(5);
  for (int i = 1; i <= 5; ++i) EXPECT_TRUE(numbers.send(forever, i));
  auto cancels = map<int>(forever, numbers, [&](int value) -> Result<int> {
    if (value == 2) other.cancel();
    return value;
  });
  const auto got = all_of(cancels, other.context());
  // A stage that is ahead of its consumer may come to 2 before the consumer has got 1.
  EXPECT_TRUE(got == "1 error cancelled" || got == "error cancelled")
      << got << ": the consumer's context ended while 2 was still on its way";
}

TEST(Lifecycle, ProducersAreToldThoughOthersListenToTheContextToo) {
  auto source = with_cancel(forever);
  const auto returned = std::make_shared<workbook::Gate>();
  const auto dawdle = [returned] { EXPECT_TRUE(returned->wait_for()); };
  // Somebody else's callbacks, registered before range() and while it runs. They are in no hurry.
  std::optional<std::stop_callback<std::function<void()>>> early(
      std::in_place, source.context().stop_token(), dawdle);
  std::optional<std::stop_callback<std::function<void()>>> late;
  const FutureStream<int> stream(2);
  EXPECT_TRUE(stream.send(forever, 1));
  EXPECT_TRUE(stream.send(forever, 2));
  std::jthread canceller;
  const auto result = stream.range(source.context(), [&](int) -> Result<void> {
    late.emplace(source.context().stop_token(), dawdle);
    canceller = std::jthread([&] { source.cancel(failure(Errc::not_found)); });
    EXPECT_TRUE(workbook::eventually([&] { return source.context().done(); }));
    return {};
  });
  EXPECT_EQ(show(result), "error not found");
  returned->open();
  canceller.join();
  EXPECT_EQ(text(send_until_it_fails(stream)), text(failure(Errc::not_found)))
      << "range() ended with its context, and the producer was never told";
}

// Fills a stream of MoveOnly with three values; `end` ends it early, keeping all handles.
template <class End>
void expect_nothing_left(const char* how, const Error& why, End end) {
  const FutureStream<MoveOnly> stream(3);
  for (int i = 1; i <= 3; ++i) EXPECT_TRUE(stream.send(forever, MoveOnly(i)));
  end(stream);
  EXPECT_TRUE(all_gone<MoveOnly>()) << how << ", and " << MoveOnly::live()
                                    << " values are still kept: who is going to want them?";
  EXPECT_EQ(text(send_until_it_fails(stream)), text(why)) << how;
}

TEST(Lifecycle, WhatIsNotDeliveredIsDestroyedAtOnce) {
  const auto not_found = failure(Errc::not_found);
  expect_nothing_left("the stream was cancelled", not_found,
                      [&](const auto& stream) { stream.cancel(not_found); });
  expect_nothing_left("the consumer failed", not_found, [&](const auto& stream) {
    EXPECT_FALSE(stream.range(
        forever, [&](MoveOnly) -> Result<void> { return std::unexpected(not_found); }));
  });
  expect_nothing_left("a stage failed", not_found, [&](const auto& stream) {
    const auto mapped = map<MoveOnly>(
        forever, stream, [&](MoveOnly) -> Result<MoveOnly> { return std::unexpected(not_found); });
    EXPECT_EQ(all_of(five_stages(forever, mapped)), "error not found");
  });
  auto source = with_cancel(forever);
  expect_nothing_left("range's context ended", not_found, [&](const auto& stream) {
    source.cancel(not_found);
    EXPECT_EQ(all_of(five_stages(forever, stream), source.context()), "error not found");
  });
}

TEST(Lifecycle, AContextThatEndsEmptiesAPipelineNobodyReads) {
  auto source = with_cancel(forever);
  const FutureStream<MoveOnly> stream(3);
  for (int i = 1; i <= 3; ++i) EXPECT_TRUE(stream.send(forever, MoveOnly(i)));
  const auto pipeline = five_stages(source.context(), stream);
  source.cancel(failure(Errc::not_found));
  EXPECT_TRUE(all_gone<MoveOnly>()) << MoveOnly::live() << " values are still kept";
  EXPECT_EQ(text(send_until_it_fails(stream)), text(failure(Errc::not_found)));
  EXPECT_EQ(all_of(pipeline), "error not found");
}

TEST(Lifecycle, TakeDestroysWhatIsTooMuch) {
  const FutureStream<MoveOnly> stream(5);
  for (int i = 1; i <= 5; ++i) EXPECT_TRUE(stream.send(forever, MoveOnly(i)));
  const auto taken = take(forever, stream, 2);
  EXPECT_EQ(all_of(taken), "1 2 success");
  EXPECT_TRUE(all_gone<MoveOnly>()) << MoveOnly::live() << " values are still kept";
}

TEST(Lifecycle, DroppingAPipelineStopsItsProducers) {
  for (int kind = 0; kind < 4; ++kind) {
    const FutureStream<MoveOnly> stream;
    workbook::Gate sent;
    std::jthread producer([&] {
      EXPECT_TRUE(stream.send(forever, MoveOnly(1)));
      sent.open();
      EXPECT_EQ(send_until_it_fails(stream).code, make_error_code(Errc::cancelled))
          << "what came out of the stage was dropped: nobody will ever read this";
    });
    sent.wait();
    {
      std::optional<FutureStream<MoveOnly>> pipeline;
      if (kind == 0) pipeline = map<MoveOnly>(forever, stream, same<MoveOnly>);
      if (kind == 1) pipeline = filter(forever, stream, all<MoveOnly>);
      if (kind == 2) pipeline = take(forever, stream, 5);
      if (kind == 3) pipeline = five_stages(forever, stream);
      const auto copy = *pipeline;
      pipeline.reset();
      EXPECT_FALSE(stream.producers().done()) << "a copy of the handle is still there";
    }
    producer.join();
    EXPECT_TRUE(all_gone<MoveOnly>());
  }
}

TEST(Lifecycle, FunctionsAreDestroyedWithTheirPipeline) {
  const FutureStream<int> stream;
  {
    auto mapped =
        map<int>(forever, stream, [kept = Tracked(1)](int value) -> Result<int> { return value; });
    auto filtered =
        filter(forever, mapped, [kept = Tracked(2)](const int&) -> Result<bool> { return true; });
    EXPECT_GE(Tracked::live(), 2);
  }
  EXPECT_TRUE(all_gone<Tracked>()) << "the pipeline is gone; its functions' captures are not";
}

TEST(Lifecycle, TheConsumerMayDropTheLastHandle) {
  auto stream = std::make_unique<FutureStream<Tracked>>(3);
  for (int i = 1; i <= 3; ++i) EXPECT_TRUE(stream->send(forever, Tracked(i)));
  stream->close();
  auto pipeline = std::make_unique<FutureStream<Tracked>>(five_stages(forever, *stream));
  stream.reset();
  int last = 0;
  EXPECT_TRUE(pipeline->range(forever, [&](Tracked value) -> Result<void> {
    pipeline.reset();
    last = value.value;
    return {};
  })) << "the handle was dropped, but range() was still running";
  EXPECT_EQ(last, 3);
  EXPECT_TRUE(all_gone<Tracked>());
}

TEST(Lifecycle, TheConsumerMayUseTheStream) {
  const FutureStream<int> stream(2);
  EXPECT_TRUE(stream.send(forever, 1));
  std::string seen;
  const auto result = stream.range(forever, [&](int value) -> Result<void> {
    seen += std::to_string(value) + " ";
    if (value < 4) EXPECT_TRUE(stream.send(forever, value + 1));
    if (value == 4) EXPECT_TRUE(stream.close());
    return {};
  });
  EXPECT_EQ(seen + show(result), "1 2 3 4 success");
  const FutureStream<int> other(2);
  EXPECT_TRUE(other.send(forever, 1));
  EXPECT_EQ(show(other.range(forever,
                             [&](int) -> Result<void> {
                               other.cancel(failure(Errc::not_found));
                               return {};
                             })),
            "error not found");
}

TEST(Lifecycle, ValuesMayUseTheStreamWhenTheyAreDestroyed) {
  const FutureStream<std::shared_ptr<int>> stream(2);
  std::atomic<int> refused{0};
  const auto answers = [&](int* value) {
    delete value;
    if (!stream.send(ended(), nullptr)) ++refused;
  };
  EXPECT_TRUE(stream.send(forever, std::shared_ptr<int>(new int(1), answers)));
  EXPECT_TRUE(stream.send(forever, std::shared_ptr<int>(new int(2), answers)));
  stream.cancel();  // hangs when values are destroyed with a lock held
  EXPECT_TRUE(workbook::eventually([&] { return refused == 2; }));
}

// Who cancels: the producer, one of the functions of four stages, or the consumer.
constexpr int producer_cancels = 4;
constexpr int consumer_cancels = 5;

// Cancels a pipeline of five stages when `who` comes to its value number `step`.
void cancel_at(int who, int step) {
  auto source = with_cancel(forever);
  const FutureStream<MoveOnly> stream(2);
  std::vector<std::atomic<int>> counts(6);
  const auto count = [&](int place) {
    if (++counts[static_cast<std::size_t>(place)] == step && place == who) source.cancel();
  };
  std::jthread producer([&] {
    for (int i = 1;; ++i) {
      count(producer_cancels);
      if (auto sent = stream.send(forever, MoveOnly(i)); !sent) {
        EXPECT_EQ(sent.error().code, make_error_code(Errc::cancelled));
        return;
      }
    }
  });
  int last = 0;
  const auto pipeline = five_stages(source.context(), stream, count);
  const auto result = pipeline.range(forever, [&](MoveOnly value) -> Result<void> {
    count(consumer_cancels);
    EXPECT_EQ(value.value, last + 1) << "out of order, or one is missing";
    last = value.value;
    return {};
  });
  EXPECT_EQ(show(result), "error cancelled");
  producer.join();
  EXPECT_TRUE(all_gone<MoveOnly>()) << MoveOnly::live() << " values are left";
}

TEST(Lifecycle, APipelineOfFiveStagesMayBeCancelledAtEveryStep) {
  const auto before = workbook::live_threads();
  for (int who = 0; who <= consumer_cancels; ++who) {
    for (int step = 1; step <= 6; ++step) {
      SCOPED_TRACE("cancelled by " + std::to_string(who) + " at value " + std::to_string(step) +
                   " (0 to 3: a stage, 4: the producer, 5: the consumer)");
      cancel_at(who, step);
      if (HasFailure()) return;
    }
  }
  EXPECT_TRUE(workbook::eventually([&] { return workbook::live_threads() <= before; }, 10s))
      << "threads are left behind";
}

}  // namespace future_stream_suite
