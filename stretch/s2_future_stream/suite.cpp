// What a stream and its pipelines must do. Every test is a sentence; a failure says what was seen
// and what to think about next.
#include "suite_explored.hpp"
#include "suite_lifecycle.hpp"
#include "suite_stress.hpp"
#include "suite_support.hpp"

namespace future_stream_suite {

// A stream with these values, closed.
FutureStream<int> stream_of(std::vector<int> values) {
  FutureStream<int> stream(values.size() + 1);
  for (const int value : values) EXPECT_TRUE(stream.send(forever, value));
  stream.close();
  return stream;
}

TEST(Basic, ValuesArriveInOrder) {
  const FutureStream<int> stream;
  std::jthread producer([stream] {
    for (int i = 1; i <= 5; ++i) EXPECT_TRUE(stream.send(forever, i));
    stream.close();
  });
  EXPECT_EQ(all_of(stream), "1 2 3 4 5 success");
}

TEST(Basic, OnlyTheFirstCloseCounts) {
  const FutureStream<int> stream(2);
  EXPECT_TRUE(stream.send(forever, 1));
  EXPECT_TRUE(stream.close());
  EXPECT_FALSE(stream.close(failure(Errc::not_found)));
  EXPECT_FALSE(stream.close());
  EXPECT_EQ(show(stream.send(forever, 2)), "error closed");
  EXPECT_EQ(all_of(stream), "1 success");
}

TEST(Basic, TheProducersErrorComesAfterItsValues) {
  const FutureStream<int> stream(3);
  EXPECT_TRUE(stream.send(forever, 1));
  EXPECT_TRUE(stream.send(forever, 2));
  EXPECT_TRUE(stream.close(failure(Errc::unavailable)));
  EXPECT_EQ(all_of(map<int>(forever, stream, same<int>)), "1 2 error unavailable");
}

TEST(Basic, AMappedStreamMayHaveAnotherType) {
  auto texts = map<std::string>(forever, stream_of({1, 2, 3}), [](int n) -> Result<std::string> {
    return std::string(static_cast<std::size_t>(n), 'x');
  });
  std::string seen;
  EXPECT_TRUE(texts.range(forever, [&](std::string word) -> Result<void> {
    seen += word + " ";
    return {};
  }));
  EXPECT_EQ(seen, "x xx xxx ");
}

TEST(Basic, AFilterKeepsWhatItSaysYesTo) {
  const auto even = [](const int& n) -> Result<bool> { return n % 2 == 0; };
  EXPECT_EQ(all_of(filter(forever, stream_of({1, 2, 3, 4, 5, 6}), even)), "2 4 6 success");
  const auto none = [](const int&) -> Result<bool> { return false; };
  EXPECT_EQ(all_of(filter(forever, stream_of({1, 2, 3}), none)), "success");
}

TEST(Basic, TakeEndsAfterSoMany) {
  EXPECT_EQ(all_of(take(forever, stream_of({1, 2, 3, 4}), 2)), "1 2 success");
  EXPECT_EQ(all_of(take(forever, stream_of({1, 2}), 2)), "1 2 success");
  EXPECT_EQ(all_of(take(forever, stream_of({1, 2}), 7)), "1 2 success") << "there were no more";
  EXPECT_EQ(all_of(take(forever, stream_of({1, 2}), 0)), "success");
}

TEST(Basic, TakeWaitsForNothingItDoesNotWant) {
  const FutureStream<int> stream(2);
  EXPECT_TRUE(stream.send(forever, 1));
  EXPECT_TRUE(stream.send(forever, 2));
  // Nobody sends a third value, and nobody closes the stream.
  EXPECT_EQ(all_of(take(forever, stream, 2)), "1 2 success");
  EXPECT_EQ(send_until_it_fails(stream).code, make_error_code(Errc::cancelled))
      << "take() has all it wants; whoever still sends should be told";
}

TEST(Basic, TakingNothingWaitsForNothing) {
  const FutureStream<int> stream;
  EXPECT_EQ(all_of(take(forever, stream, 0)), "success");
  EXPECT_EQ(send_until_it_fails(stream).code, make_error_code(Errc::cancelled));
}

TEST(Basic, StagesCanBeCombined) {
  auto tripled =
      map<int>(forever, stream_of({1, 2, 3, 4, 5, 6}), [](int n) -> Result<int> { return 3 * n; });
  auto odd = filter(forever, tripled, [](const int& n) -> Result<bool> { return n % 2 == 1; });
  EXPECT_EQ(all_of(take(forever, odd, 2)), "3 9 success");
}

TEST(Basic, AnErrorOfTheConsumerEndsTheStream) {
  const FutureStream<int> stream;
  std::jthread producer([stream] {
    EXPECT_EQ(text(send_until_it_fails(stream)), text(failure(Errc::not_found)))
        << "the producer has to learn what ended the stream";
  });
  int last = 0;
  const auto result = five_stages(forever, stream).range(forever, [&](int value) -> Result<void> {
    last = value;
    if (value == 3) return std::unexpected(failure(Errc::not_found));
    return {};
  });
  EXPECT_EQ(show(result), "error not found");
  EXPECT_EQ(last, 3);
}

TEST(Basic, AnErrorOfAStageComesAfterTheValuesBeforeIt) {
  const FutureStream<int> stream;
  std::jthread producer(
      [stream] { EXPECT_EQ(text(send_until_it_fails(stream)), text(failure(Errc::not_found))); });
  auto mapped = map<int>(forever, stream, [](int value) -> Result<int> {
    if (value == 3) return std::unexpected(failure(Errc::not_found));
    return value;
  });
  EXPECT_EQ(all_of(five_stages(forever, mapped)), "1 2 error not found");
}

TEST(Basic, AnErrorOfAFilterEndsTheStream) {
  const FutureStream<int> stream;
  std::jthread producer(
      [stream] { EXPECT_EQ(text(send_until_it_fails(stream)), text(failure(Errc::not_found))); });
  auto filtered = filter(forever, stream, [](const int& value) -> Result<bool> {
    if (value == 3) return std::unexpected(failure(Errc::not_found));
    return true;
  });
  EXPECT_EQ(all_of(filtered), "1 2 error not found");
}

TEST(Basic, WhateverAFunctionThrowsIsAnError) {
  for (int place = 0; place < 3; ++place) {
    for (const bool standard : {true, false}) {
      const auto raise = [standard](bool here) {
        if (!here) return;
        if (standard) throw std::runtime_error("out of paper");
        throw 42;
      };
      const FutureStream<int> stream;
      std::jthread producer([stream] {
        EXPECT_EQ(send_until_it_fails(stream).code, make_error_code(Errc::exception));
      });
      auto mapped = map<int>(forever, stream, [=](int value) -> Result<int> {
        raise(place == 0);
        return value;
      });
      auto filtered = filter(forever, mapped, [=](const int&) -> Result<bool> {
        raise(place == 1);
        return true;
      });
      const auto result = filtered.range(forever, [=](int) -> Result<void> {
        raise(place == 2);
        return {};
      });
      EXPECT_EQ(show(result), "error exception") << "thrown by function " << place;
      if (standard && !result) EXPECT_EQ(result.error().message, "out of paper");
    }
  }
}

TEST(Basic, AnErrorIsNeverTakenForTheEnd) {
  const FutureStream<int> closed;
  closed.close();
  const auto forward = [&](int value) { return closed.send(forever, value); };
  EXPECT_EQ(show(stream_of({1, 2}).range(forever, forward)), "error closed")
      << "fn failed: the stream it sends to is closed. This one is not at its end.";
  auto mapped = map<int>(forever, stream_of({1, 2}), [&](int value) -> Result<int> {
    if (auto sent = closed.send(forever, value); !sent) return std::unexpected(sent.error());
    return value;
  });
  EXPECT_EQ(all_of(mapped), "error closed");
  auto truths = map<bool>(forever, stream_of({1, 2}), [](int value) -> Result<bool> {
    if (value == 2) return std::unexpected(failure(Errc::not_found));
    return false;
  });
  EXPECT_EQ(all_of(truths), "0 error not found") << "a stream of bool, and an error after `false`";
}

TEST(Basic, ACancelledContextEndsRange) {
  const FutureStream<int> stream(2);
  EXPECT_TRUE(stream.send(forever, 1));
  EXPECT_EQ(all_of(stream, ended()), "error cancelled")
      << "the context had ended: a value that waits is no reason to go on";
  EXPECT_EQ(show(stream.send(forever, 2)), "error cancelled");
  const FutureStream<int> other;
  EXPECT_EQ(all_of(other, with_timeout(forever, 5ms).context()), "error deadline exceeded");
  EXPECT_EQ(show(other.send(forever, 1)), "error deadline exceeded");
}

TEST(Basic, TheContextOfAnyStageEndsThePipeline) {
  for (int stage = 0; stage < 3; ++stage) {
    const FutureStream<int> stream;
    const auto context_of = [&](int i) { return i == stage ? ended() : forever; };
    auto mapped = map<int>(context_of(0), stream, same<int>);
    auto filtered = filter(context_of(1), mapped, all<int>);
    auto taken = take(context_of(2), filtered, 5);
    EXPECT_EQ(all_of(taken), "error cancelled") << "the context of stage " << stage;
    EXPECT_EQ(show(stream.send(forever, 1)), "error cancelled");
  }
}

TEST(Basic, AnEndThatWasReachedBeatsTheContext) {
  EXPECT_EQ(all_of(stream_of({}), ended()), "success") << "it was closed and empty beforehand";
  const FutureStream<int> failed;
  failed.close(failure(Errc::not_found));
  EXPECT_EQ(all_of(failed, ended()), "error not found");
}

TEST(Basic, RoomThatIsThereBeatsAContextThatHasEnded) {
  const FutureStream<int> stream(1);
  EXPECT_EQ(show(stream.send(ended(), 1)), "success");
  EXPECT_EQ(show(stream.send(ended(), 2)), "error cancelled") << "there was no room for this one";
  EXPECT_EQ(show(stream.send(with_timeout(forever, 5ms).context(), 3)), "error deadline exceeded");
  stream.close();
  EXPECT_EQ(all_of(stream), "1 success") << "a send that gave up leaves nothing and ends nothing";
}

TEST(Basic, CancellingByHand) {
  const FutureStream<int> stream(2);
  EXPECT_TRUE(stream.send(forever, 1));
  const auto mapped = map<int>(forever, stream, same<int>);
  EXPECT_FALSE(stream.producers().done());
  mapped.cancel(failure(Errc::unavailable));
  mapped.cancel(failure(Errc::not_found));
  EXPECT_EQ(text(send_until_it_fails(stream)), text(failure(Errc::unavailable)))
      << "the first reason stays";
  EXPECT_TRUE(workbook::eventually([&] { return stream.producers().done(); }));
  EXPECT_EQ(text(stream.producers().error().value_or(Error{})), text(failure(Errc::unavailable)));
  EXPECT_EQ(all_of(mapped), "error unavailable");
}

TEST(Basic, AStreamHasOneConsumer) {
  const auto stream = stream_of({1, 2, 3});
  const auto first = map<int>(forever, stream, same<int>);
  EXPECT_EQ(all_of(stream), "error invalid argument") << "a stage reads it already";
  {
    EXPECT_EQ(all_of(take(forever, stream, 2)), "error invalid argument");
  }
  {
    const auto second = filter(forever, stream, all<int>);
  }
  EXPECT_EQ(all_of(first), "1 2 3 success") << "the first consumer noticed the others";
  EXPECT_EQ(all_of(first), "error invalid argument") << "consumed already";
}

TEST(Basic, ACapacityOfZeroIsAnInvalidArgument) {
  const FutureStream<int> stream(0);
  EXPECT_EQ(show(stream.send(forever, 1)), "error invalid argument");
  EXPECT_EQ(all_of(map<int>(forever, stream, same<int>)), "error invalid argument");
}

TEST(Basic, ValuesNeedNoCopyAndNoDefaultConstructor) {
  const FutureStream<MoveOnly> stream(3);
  for (int i = 1; i <= 3; ++i) EXPECT_TRUE(stream.send(forever, MoveOnly(i)));
  stream.close();
  EXPECT_EQ(all_of(five_stages(forever, stream)), "1 2 3 success");
}

}  // namespace future_stream_suite
