// Small races, for the schedule explorer to try in every order.
#pragma once

#include "suite_support.hpp"

namespace backpressure_suite {

TEST(Explored, ValuesPassAStage) {
  auto [intake, head] = make_chain<int>(forever, 1);
  auto chain = then<int>(std::move(head), 1, same<int>);
  std::jthread producer([&in = intake] {
    EXPECT_TRUE(in.push(forever, 1));
    EXPECT_TRUE(in.push(forever, 2));
    in.close();
  });
  EXPECT_EQ(rest_of(chain), "1 2 closed");
}

TEST(Explored, TwoProducersWaitForTheSameRoom) {
  auto [intake, chain] = make_chain<int>(forever, 1);
  std::jthread one([&in = intake] { EXPECT_TRUE(in.push(forever, 1)); });
  std::jthread two([&in = intake] { EXPECT_TRUE(in.push(forever, 1)); });
  EXPECT_TRUE(chain.pull(forever));
  EXPECT_TRUE(chain.pull(forever));
}

TEST(Explored, AFullQueueTakesNoMore) {
  auto [intake, chain] = make_chain<int>(forever, 1);
  std::atomic<int> taken{0};
  {
    std::jthread one([&, &in = intake] { taken += in.push(ended(), 1) ? 1 : 0; });
    std::jthread two([&, &in = intake] { taken += in.push(ended(), 1) ? 1 : 0; });
  }
  EXPECT_EQ(taken, 1) << "there was room for one, and two wanted it";
}

TEST(Explored, TheProducerIsNeverFurtherAheadThanTheQueues) {
  auto [intake, head] = make_chain<int>(forever, 1);
  auto chain = then<int>(std::move(head), 1, same<int>);
  std::atomic<int> taken{0};
  std::jthread producer([&, &in = intake] {
    while (taken < 5 && in.push(forever, 1)) ++taken;
    in.close();
  });
  EXPECT_LE(taken, 3);
  EXPECT_TRUE(chain.pull(forever));
  EXPECT_LE(taken, 4) << "one was pulled, two are in queues, one is in the stage's hand";
  EXPECT_EQ(rest_of(chain), "1 1 1 1 closed");
}

TEST(Explored, AConsumerLearnsOfTheEnd) {
  auto [intake, chain] = make_chain<int>(forever, 1);
  std::jthread producer([&in = intake] { in.close(); });
  std::jthread other([&end = chain] { EXPECT_EQ(show(end.pull(forever)), "error closed"); });
  EXPECT_EQ(show(chain.pull(forever)), "error closed");
}

TEST(Explored, AValueThatCameBeforeThePatienceEndedIsReturned) {
  auto [intake, chain] = make_chain<int>(forever, 1);
  auto source = with_cancel(forever);
  std::jthread producer([&, &in = intake] {
    EXPECT_TRUE(in.push(forever, 7));
    source.cancel();
  });
  EXPECT_EQ(show(chain.pull(source.context())), "value 7");
}

TEST(Explored, AFailureMeetsTheProducerAnywhere) {
  {
    auto [intake, head] = make_chain<MoveOnly>(forever, 1);
    auto chain =
        then<MoveOnly>(std::move(head), 1, [](const Context&, MoveOnly v) -> Result<MoveOnly> {
          if (v.value == 2) return std::unexpected(failure(Errc::not_found));
          return v;
        });
    std::jthread producer([&in = intake] {
      EXPECT_EQ(text(push_until_it_fails(in)), text(failure(Errc::not_found)));
    });
    EXPECT_EQ(rest_of(chain), "1 not found");
  }
  EXPECT_TRUE(all_gone<MoveOnly>()) << MoveOnly::live() << " values are left";
}

TEST(Explored, ACancellationMeetsTheChainAnywhere) {
  auto source = with_cancel(forever);
  auto [intake, head] = make_chain<MoveOnly>(source.context(), 1);
  auto chain = then<MoveOnly>(std::move(head), 1, same<MoveOnly>);
  {
    std::jthread producer([&in = intake] {
      EXPECT_EQ(push_until_it_fails(in).code, make_error_code(Errc::cancelled));
    });
    source.cancel();
  }
  EXPECT_TRUE(all_gone<MoveOnly>()) << MoveOnly::live() << " values are left";
  const auto result = chain.pull(forever);
  EXPECT_FALSE(result) << "everything was destroyed, and yet a value came out";
}

// A stage that works until it is told to stop, and then answers with an error of its own.
inline Result<int> stubborn(const Context& context, int) {
  while (context.sleep_for(1h)) {  // an hour is nothing on the explorer's clock
  }
  return std::unexpected(failure(Errc::unavailable));
}

TEST(Explored, TheAnswerOfABusyStageDoesNotReplaceTheFailure) {
  workbook::Gate is_busy;
  auto [intake, head] = make_chain<int>(forever, 1);
  auto busy = then<int>(std::move(head), 1, [&](const Context& context, int n) -> Result<int> {
    if (n == 1) return n;
    is_busy.open();
    return stubborn(context, n);
  });
  auto chain = then<int>(std::move(busy), 1, [&](const Context&, int) -> Result<int> {
    is_busy.wait();
    return std::unexpected(failure(Errc::not_found));
  });
  EXPECT_EQ(text(push_until_it_fails(intake)), text(failure(Errc::not_found)));
  EXPECT_EQ(show(chain.pull(forever)), "error not found");
}

TEST(Explored, TheAnswerOfABusyStageDoesNotReplaceTheCancellation) {
  auto source = with_cancel(forever);
  auto [intake, head] = make_chain<int>(source.context(), 1);
  auto chain = then<int>(std::move(head), 1, stubborn);
  EXPECT_TRUE(intake.push(forever, 1));
  std::jthread canceller([&] { source.cancel(); });
  EXPECT_EQ(show(chain.pull(forever)), "error cancelled");
}

TEST(Explored, EveryBlockedProducerHearsThatTheEndWasDropped) {
  auto [intake, chain] = make_chain<int>(forever, 1);
  std::jthread one(
      [&in = intake] { EXPECT_EQ(push_until_it_fails(in).code, make_error_code(Errc::closed)); });
  std::jthread two(
      [&in = intake] { EXPECT_EQ(push_until_it_fails(in).code, make_error_code(Errc::closed)); });
  {
    [[maybe_unused]] const auto dropped = std::move(chain);
  }
}

TEST(Explored, EveryBlockedProducerHearsOfClose) {
  auto [intake, chain] = make_chain<int>(forever, 1);
  EXPECT_TRUE(intake.push(forever, 1));
  std::jthread one(
      [&in = intake] { EXPECT_EQ(push_until_it_fails(in).code, make_error_code(Errc::closed)); });
  std::jthread two(
      [&in = intake] { EXPECT_EQ(push_until_it_fails(in).code, make_error_code(Errc::closed)); });
  intake.close();
}

TEST(Explored, TheEndMayBeDroppedWhileAStageWorks) {
  {
    auto [intake, head] = make_chain<MoveOnly>(forever, 1);
    auto chain = then<MoveOnly>(std::move(head), 1, same<MoveOnly>);
    std::jthread producer([&in = intake] {
      (void)in.push(forever, MoveOnly(1));
      (void)in.push(forever, MoveOnly(2));
    });
    {
      [[maybe_unused]] const auto dropped = std::move(chain);
    }
  }
  EXPECT_TRUE(all_gone<MoveOnly>()) << MoveOnly::live() << " values are left";
}

}  // namespace backpressure_suite
