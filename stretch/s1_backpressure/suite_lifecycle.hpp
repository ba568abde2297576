// How much is under way at most, what becomes of it when the chain ends early, and who learns why.
#pragma once

#include "suite_support.hpp"

namespace backpressure_suite {

TEST(Lifecycle, AQueueTakesAsManyAsItsCapacity) {
  auto [intake, chain] = make_chain<int>(forever, 3);
  EXPECT_EQ(flood(intake, 3, 20), 3u) << "nobody pulls, and the queue has room for 3";
  EXPECT_EQ(show(chain.pull(forever)), "value 0");
  EXPECT_EQ(flood(intake, 1, 20), 1u) << "one value was pulled: there is room for one more";
}

TEST(Lifecycle, EveryStageHasAQueueOfItsOwnSize) {
  auto [intake, head] = make_chain<int>(forever, 1);
  auto first = then<int>(std::move(head), 2, same<int>);
  [[maybe_unused]] auto chain = then<int>(std::move(first), 4, same<int>);
  const auto taken = flood(intake, 1 + 2 + 4, 40);
  EXPECT_GE(taken, 1u + 2 + 4) << "nobody pulls: the queues fill up to what they were made for";
  EXPECT_LE(taken, 1u + 2 + 4 + 2) << "three queues of 1, 2 and 4 and two stages with a value in "
                                      "hand can't hold more: which queue has no end?";
}

TEST(Lifecycle, ASlowStageHoldsUpTheWholeChain) {
  workbook::Gate slow;
  std::atomic<int> seen{0};
  auto [intake, head] = make_chain<int>(forever, 2);
  auto first = then<int>(std::move(head), 1, [&seen](const Context&, int value) -> Result<int> {
    ++seen;
    return value;
  });
  auto chain = then<int>(std::move(first), 1, [&slow](const Context&, int value) -> Result<int> {
    slow.wait();
    return value;
  });
  const auto taken = flood(intake, 2 + 1, 30);
  EXPECT_LE(taken, 2u + 1 + 2);
  EXPECT_LE(seen, 1 + 2) << "the second stage is still at its first value, and behind the first "
                            "stage is room for one";
  slow.open();
  for (std::size_t i = 0; i < taken; ++i) {
    EXPECT_EQ(show(chain.pull(forever)), "value " + std::to_string(i));
  }
}

TEST(Lifecycle, StagesWorkAtTheSameTime) {
  workbook::Gate first_has_the_next;
  workbook::Gate second_is_at_work;
  auto [intake, head] = make_chain<int>(forever, 2);
  auto first = then<int>(std::move(head), 1, [&](const Context&, int value) -> Result<int> {
    if (value == 2) {
      first_has_the_next.open();
      EXPECT_TRUE(second_is_at_work.wait_for());
    }
    return value;
  });
  auto chain = then<int>(std::move(first), 1, [&](const Context&, int value) -> Result<int> {
    if (value == 1) {
      second_is_at_work.open();
      EXPECT_TRUE(first_has_the_next.wait_for())
          << "while one stage is at work, another one can't: do they share a lock, or a thread?";
    }
    return value;
  });
  EXPECT_TRUE(intake.push(forever, 1));
  EXPECT_TRUE(intake.push(forever, 2));
  intake.close();
  EXPECT_EQ(rest_of(chain), "1 2 closed");
}

TEST(Lifecycle, AStageTakesOneThreadAtMost) {
  const auto before = workbook::live_threads();
  auto [intake, head] = make_chain<int>(forever, 1);
  std::optional<Chain<int>> chain(std::move(head));
  for (int stage = 0; stage < 8; ++stage) chain = then<int>(*std::move(chain), 1, same<int>);
  (void)flood(intake, 9, 100);
  EXPECT_LE(workbook::live_threads(), before + 8 + 3) << "eight stages, all of them waiting";
}

TEST(Lifecycle, TheThreadsOfAFinishedChainAreGone) {
  const auto before = workbook::live_threads();
  auto [intake, head] = make_chain<int>(forever, 1);
  auto first = then<int>(std::move(head), 1, same<int>);
  auto chain = then<int>(std::move(first), 1, same<int>);
  intake.close();
  EXPECT_EQ(rest_of(chain), "closed");
  EXPECT_TRUE(workbook::eventually([&] { return workbook::live_threads() <= before; }, 10s))
      << "the chain has come to its end; both ends of it are still held";
}

TEST(Lifecycle, AStagesCapturesAreDestroyedWhenItIsOver) {
  auto [intake, head] = make_chain<int>(forever, 1);
  auto chain = then<int>(std::move(head), 1,
                         [kept = Tracked(1)](const Context&, int v) -> Result<int> { return v; });
  intake.close();
  EXPECT_EQ(rest_of(chain), "closed");
  EXPECT_TRUE(all_gone<Tracked>()) << "the stage is over; its function still holds a capture";
}

TEST(Lifecycle, AFailureWakesABlockedProducer) {
  workbook::Gate fail;
  auto [intake, head] = make_chain<MoveOnly>(forever, 1);
  auto chain =
      then<MoveOnly>(std::move(head), 1, [&fail](const Context&, MoveOnly) -> Result<MoveOnly> {
        fail.wait();
        return std::unexpected(failure(Errc::not_found));
      });
  std::optional<Error> error;
  std::jthread producer([&, &in = intake] { error = push_until_it_fails(in); });
  (void)workbook::eventually([] { return MoveOnly::live() >= 3; }, 200ms);
  fail.open();
  producer.join();
  EXPECT_EQ(text(error.value_or(Error{})), text(failure(Errc::not_found)));
  EXPECT_TRUE(all_gone<MoveOnly>()) << "values before the stage that failed are still kept";
  EXPECT_EQ(show(chain.pull(forever)), "error not found");
}

TEST(Lifecycle, EveryBlockedProducerHearsOfAFailure) {
  workbook::Gate fail;
  auto [intake, head] = make_chain<int>(forever, 1);
  [[maybe_unused]] auto chain =
      then<int>(std::move(head), 1, [&fail](const Context&, int) -> Result<int> {
        fail.wait();
        return std::unexpected(failure(Errc::not_found));
      });
  std::atomic<int> told{0};
  std::vector<std::jthread> producers;
  for (int i = 0; i < 5; ++i) {
    producers.emplace_back([&, &in = intake] {
      if (push_until_it_fails(in) == failure(Errc::not_found)) ++told;
    });
  }
  std::this_thread::sleep_for(5ms);  // so that some are likely to be blocked; nothing relies on it
  fail.open();
  producers.clear();
  EXPECT_EQ(told, 5);
}

// Two stages: the first gets busy with its second value, the second fails for its first one.
struct BusyThenFailure {
  template <class Work>
  explicit BusyThenFailure(Work work) {
    auto [in, head] = make_chain<int>(forever, 1);
    auto busy = then<int>(std::move(head), 2,
                          [this, work](const Context& context, int value) -> Result<int> {
                            if (value == 1) return value;
                            is_busy.open();
                            return work(context, value);
                          });
    end.emplace(then<int>(std::move(busy), 2, [this](const Context&, int) -> Result<int> {
      is_busy.wait();
      return std::unexpected(failure(Errc::not_found));
    }));
    intake.emplace(std::move(in));
  }

  workbook::Gate is_busy;
  std::optional<Intake<int>> intake;
  std::optional<Chain<int>> end;
};

TEST(Lifecycle, AFailureReachesTheProducerPastABusyStage) {
  const auto done = std::make_shared<workbook::Gate>();  // the stage may outlive the test
  BusyThenFailure race([done](const Context&, int value) -> Result<int> {
    done->wait();  // and listens to nobody
    return value;
  });
  workbook::Gate told;
  std::jthread producer([&] {
    EXPECT_EQ(text(push_until_it_fails(*race.intake)), text(failure(Errc::not_found)));
    told.open();
  });
  EXPECT_TRUE(told.wait_for()) << "the second stage has failed, the first is at work and will be "
                                  "for long: the producer before it waits for nothing";
  done->open();
  EXPECT_EQ(show(race.end->pull(forever)), "error not found");
}

TEST(Lifecycle, AFailureReachesABusyStageThroughItsContext) {
  std::optional<Error> heard;
  workbook::Gate answered;
  BusyThenFailure race([&](const Context& context, int) -> Result<int> {
    if (!context.sleep_for(workbook::patience)) heard = context.error();
    answered.open();
    return std::unexpected(failure(Errc::unavailable));
  });
  EXPECT_EQ(text(push_until_it_fails(*race.intake)), text(failure(Errc::not_found)));
  EXPECT_TRUE(answered.wait_for());
  EXPECT_EQ(text(heard.value_or(Error{})), text(failure(Errc::not_found)))
      << "what the stage at work read from its context";
  EXPECT_EQ(show(race.end->pull(forever)), "error not found")
      << "the busy stage said `unavailable`, because it was told to stop: that is no news";
  EXPECT_EQ(show(race.intake->push(forever, 9)), "error not found");
}

TEST(Lifecycle, WhatPassedTheFailedStageStillGoesAllTheWay) {
  workbook::Gate failed;
  auto [intake, head] = make_chain<MoveOnly>(forever, 1);
  auto fails =
      then<MoveOnly>(std::move(head), 3, [](const Context&, MoveOnly value) -> Result<MoveOnly> {
        if (value.value == 4) return std::unexpected(failure(Errc::not_found));
        return value;
      });
  auto chain = then<MoveOnly>(std::move(fails), 1,
                              [&](const Context& context, MoveOnly value) -> Result<MoveOnly> {
                                failed.wait();
                                EXPECT_FALSE(context.done()) << "its result is still wanted";
                                return value;
                              });
  EXPECT_EQ(text(push_until_it_fails(intake)), text(failure(Errc::not_found)));
  failed.open();
  EXPECT_EQ(rest_of(chain), "1 2 3 not found")
      << "1, 2 and 3 were through before 4 failed, and the next stage was still at them";
  EXPECT_TRUE(all_gone<MoveOnly>());
}

TEST(Lifecycle, ACancelledChainDestroysWhatIsUnderWay) {
  auto source = with_cancel(forever);
  auto [intake, head] = make_chain<MoveOnly>(source.context(), 3);
  auto first = then<MoveOnly>(std::move(head), 3, same<MoveOnly>);
  auto chain = then<MoveOnly>(std::move(first), 3, same<MoveOnly>);
  EXPECT_GE(flood(intake, 9, 40), 9u);
  source.cancel();
  EXPECT_TRUE(all_gone<MoveOnly>())
      << MoveOnly::live() << " values are still kept; nobody will ever pull them";
  EXPECT_EQ(show(intake.push(forever, MoveOnly(1))), "error cancelled");
  EXPECT_EQ(show(chain.pull(forever)), "error cancelled");
}

TEST(Lifecycle, ACancellationWakesWhoeverWaits) {
  auto source = with_cancel(forever);
  auto [intake, head] = make_chain<int>(source.context(), 1);
  workbook::Gate at_work;
  auto first = then<int>(std::move(head), 1, [&](const Context& context, int) -> Result<int> {
    at_work.open();
    if (context.sleep_for(workbook::patience)) return 1;
    return std::unexpected(*context.error());
  });
  auto chain = then<int>(std::move(first), 1, same<int>);
  std::jthread producer([&in = intake] {
    EXPECT_EQ(push_until_it_fails(in).code, make_error_code(Errc::cancelled)) << "seen by push()";
  });
  std::jthread consumer([&end = chain] { EXPECT_EQ(show(end.pull(forever)), "error cancelled"); });
  at_work.wait();
  source.cancel();
}

TEST(Lifecycle, TheAnswerToACancellationIsNoNews) {
  auto source = with_cancel(forever);
  auto [intake, head] = make_chain<int>(source.context(), 1);
  workbook::Gate at_work;
  auto chain = then<int>(std::move(head), 1, [&](const Context& context, int) -> Result<int> {
    at_work.open();
    (void)context.sleep_for(workbook::patience);
    return std::unexpected(failure(Errc::unavailable));
  });
  EXPECT_TRUE(intake.push(forever, 1));
  at_work.wait();
  source.cancel(failure(Errc::not_found));
  EXPECT_EQ(show(chain.pull(forever)), "error not found")
      << "the stage said `unavailable`, because the chain was cancelled: that is no news";
  EXPECT_EQ(show(intake.push(forever, 2)), "error not found");
}

TEST(Lifecycle, DroppingTheEndStopsTheChain) {
  auto [intake, head] = make_chain<MoveOnly>(forever, 2);
  auto first = then<MoveOnly>(std::move(head), 2, same<MoveOnly>);
  {
    [[maybe_unused]] const auto chain = then<MoveOnly>(std::move(first), 2, same<MoveOnly>);
    EXPECT_GE(flood(intake, 6, 40), 6u);
  }
  EXPECT_TRUE(all_gone<MoveOnly>())
      << MoveOnly::live() << " values are still kept, and nobody can pull them any more";
  EXPECT_EQ(show(intake.push(forever, MoveOnly(1))), "error closed");
}

TEST(Lifecycle, ReplacingTheEndStopsTheOldChain) {
  auto [intake, chain] = make_chain<int>(forever, 1);
  auto [other_intake, other_chain] = make_chain<int>(forever, 1);
  chain = std::move(other_chain);
  EXPECT_EQ(show(intake.push(forever, 1)), "error closed");
  EXPECT_TRUE(other_intake.push(forever, 2));
  EXPECT_EQ(show(chain.pull(forever)), "value 2");
}

TEST(Lifecycle, AStageHearsThatTheEndWasDropped) {
  workbook::Gate at_work;
  workbook::Gate heard;
  auto [intake, head] = make_chain<int>(forever, 1);
  {
    [[maybe_unused]] const auto chain =
        then<int>(std::move(head), 1, [&](const Context& context, int value) -> Result<int> {
          at_work.open();
          if (!context.sleep_for(workbook::patience)) heard.open();
          return value;
        });
    EXPECT_TRUE(intake.push(forever, 1));
    at_work.wait();
  }
  EXPECT_TRUE(heard.wait_for()) << "nobody wants the result of the stage that is at work";
}

TEST(Lifecycle, ValuesMayUseTheChainWhenTheyAreDestroyed) {
  auto source = with_cancel(forever);
  auto [intake, chain] = make_chain<std::shared_ptr<int>>(source.context(), 2);
  std::atomic<int> refused{0};
  const auto answers = [&, &in = intake](int* value) {
    delete value;
    if (!in.push(ended(), nullptr)) ++refused;
  };
  EXPECT_TRUE(intake.push(forever, std::shared_ptr<int>(new int(1), answers)));
  EXPECT_TRUE(intake.push(forever, std::shared_ptr<int>(new int(2), answers)));
  source.cancel();  // hangs when values are destroyed with a lock held
  EXPECT_TRUE(workbook::eventually([&] { return refused == 2; }));
  EXPECT_EQ(chain.pull(ended()).error().code, make_error_code(Errc::cancelled));
}

}  // namespace backpressure_suite
