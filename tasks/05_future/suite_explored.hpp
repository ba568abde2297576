// Task 5: small races, for the schedule explorer to try in every order.
#pragma once

#include "suite_support.hpp"

namespace future_suite {

TEST(Explored, TwoSettlersMakeOneTransition) {
  auto [future, resolver] = make_future<int>();
  bool other_won = false;
  std::thread other([&, &writer = resolver] { other_won = writer.resolve(2); });
  const bool won = resolver.resolve(1);
  other.join();
  EXPECT_NE(won, other_won) << (won ? "both calls" : "neither call") << " settled the future";
  EXPECT_EQ(show(future.await(forever)), won ? "value 1" : "value 2")
      << "the result is not the one of the call that returned true";
}

TEST(Explored, AnAwaiterIsWoken) {
  auto [future, resolver] = make_future<int>();
  std::jthread producer([&writer = resolver] { writer.resolve(7); });
  EXPECT_EQ(show(future.await(forever)), "value 7");
}

// Whoever looks at the clock may see the deadline pass before the context has been told.
TEST(Explored, ADeadlineThatPassesIsToldAsSuch) {
  auto [future, resolver] = make_future<int>();
  const auto source = with_timeout(forever, 10ms);
  EXPECT_EQ(show(future.await(source.context())), "error deadline exceeded");
  resolver.resolve(7);
}

TEST(Explored, TwoAwaitersAreWoken) {
  auto [future, resolver] = make_future<int>();
  std::jthread other([&reader = future] { EXPECT_EQ(show(reader.await(forever)), "value 7"); });
  std::jthread producer([&writer = resolver] { writer.resolve(7); });
  EXPECT_EQ(show(future.await(forever)), "value 7");
}

TEST(Explored, ACallbackRegisteredWhileItSettlesRunsOnce) {
  auto [future, resolver] = make_future<int>();
  std::atomic<int> called{0};
  {
    std::jthread producer([&writer = resolver] { writer.resolve(1); });
    future.on_settled([&](const Result<int>& result) { called += result.value_or(100); });
  }
  EXPECT_EQ(called, 1) << "on_settled() and resolve() have both returned";
}

TEST(Explored, TwoCallbacksRegisteredAtOnceBothRun) {
  auto [future, resolver] = make_future<int>();
  std::atomic<int> called{0};
  {
    std::jthread other(
        [&, &reader = future] { reader.on_settled([&](const auto&) { ++called; }); });
    future.on_settled([&](const Result<int>&) { ++called; });
  }
  resolver.resolve(1);
  EXPECT_EQ(called, 2) << "two threads registered one each: one has overwritten the other";
}

TEST(Explored, ARegistrationLeavesTheOthersToWhoSettles) {
  auto [future, resolver] = make_future<int>();
  std::atomic<std::thread::id> ran_on;
  future.on_settled([&](const Result<int>&) { ran_on = std::this_thread::get_id(); });
  std::jthread newcomer([handle = future] { handle.on_settled([](const Result<int>&) {}); });
  resolver.resolve(7);
  EXPECT_EQ(ran_on.load(), std::this_thread::get_id())
      << "resolve has returned: a callback that was there before has run, on the thread that "
         "settles, whoever comes along";
}

TEST(Explored, WhatSaysThatItIsSettledHasTheResult) {
  auto [future, resolver] = make_future<int>();
  auto source = with_cancel(forever);
  source.cancel();
  std::jthread producer([&writer = resolver] { writer.resolve(7); });
  if (future.settled()) {
    EXPECT_EQ(show(future.await(source.context())), "value 7")
        << "settled() was true: the result must have been there already";
  }
}

TEST(Explored, AResultIsThereForManyAtOnce) {
  auto [future, resolver] = make_future<int>();
  resolver.resolve(7);
  auto source = with_cancel(forever);
  source.cancel();
  const auto await = [handle = future, ended = source.context()]() mutable {
    EXPECT_EQ(show(handle.await(ended)), "value 7")
        << "it was there before; that somebody else is being served makes it no less so";
  };
  EXPECT_EQ(show(future.await(forever)), "value 7");
  std::jthread other(await);
  EXPECT_EQ(show(future.await(source.context())), "value 7");
}

TEST(Explored, AValueThatCameBeforeTheCancellationWins) {
  auto [future, resolver] = make_future<int>();
  auto source = with_cancel(forever);
  std::jthread producer([&, &writer = resolver] {
    writer.resolve(7);
    source.cancel();
  });
  EXPECT_EQ(show(future.await(source.context())), "value 7")
      << "the value was there before the context ended";
}

TEST(Explored, AnAwaitEndsWithItsContext) {
  auto [future, resolver] = make_future<int>();
  auto source = with_cancel(forever);
  std::jthread canceller([&] { source.cancel(); });
  EXPECT_EQ(show(future.await(source.context())), "error cancelled");
}

TEST(Explored, TheAwaiterMayHoldTheLastHandle) {
  auto [future, resolver] = make_future<int>();
  std::jthread producer([writer = std::move(resolver)]() mutable {
    writer.resolve(7);
  });  // the resolver ends with the thread's function
  {
    const auto mine = std::move(future);
    EXPECT_EQ(show(mine.await(forever)), "value 7");
  }  // the producer may still be inside resolve()
}

TEST(Explored, AnAwaiterLearnsOfABrokenPromise) {
  auto [future, resolver] = make_future<int>();
  std::jthread producer([writer = std::move(resolver)] {});
  EXPECT_EQ(show(future.await(forever)), "error broken promise");
}

TEST(Explored, CancellingRacesSettling) {
  auto [future, resolver] = make_future<int>();
  const auto producer = resolver.context();
  {
    std::jthread canceller([&reader = future] { reader.cancel(); });
    EXPECT_TRUE(resolver.resolve(7));
  }
  EXPECT_EQ(show(future.await(forever)), "value 7");
}

TEST(Explored, AThreadThatIsAboutToGoIsNotPromisedTwice) {
  const auto start = [](auto fn) {
    return go<int>(forever, [fn](const Context&) -> Result<int> {
      fn();
      return 7;
    });
  };
  EXPECT_EQ(show(start([] {}).await(forever)), "value 7");
  auto gate = std::make_shared<workbook::Gate>();
  auto waits = start([gate] { gate->wait(); });
  auto opens = start([gate] { gate->open(); });
  // Or for ever: the second stands behind the first, which waits for it.
  EXPECT_EQ(show(waits.await(forever)), "value 7");
}

// The one whose context ends takes the wake-up that was for both, or leaves a list in the middle of
// which it stood.
TEST(Explored, AnAwaiterWhoseContextEndsKeepsNobodyWaiting) {
  auto [future, resolver] = make_future<int>();
  auto source = with_cancel(forever);
  const auto await = [&reader = future](const Context& context) {
    return show(reader.await(context));
  };
  const std::jthread hurried([&] { (void)await(source.context()); });
  const std::jthread patient([&] { EXPECT_EQ(await(forever), "value 7"); });
  (void)workbook::let_all_wait();
  resolver.resolve(7);
  source.cancel();
}

TEST(Explored, AnAwaiterThatHasLeftIsLeftAlone) {
  auto [future, resolver] = make_future<int>();
  auto source = with_cancel(forever);
  std::jthread producer([&writer = resolver] { writer.resolve(7); });
  std::jthread canceller([&] { source.cancel(); });
  (void)future.await(source.context());
  EXPECT_TRUE(workbook::stack_is_left_alone([&] {
    producer.join();
    canceller.join();
  })) << "await has returned, and somebody still wrote to what it had on its stack";
}

TEST(Explored, AProducerThatSleepsIsCancelled) {
  auto future = go<int>(forever, [](const Context& context) -> Result<int> {
    if (context.sleep_for(1h)) return 1;
    return std::unexpected(*context.error());
  });
  future.cancel();
  EXPECT_EQ(show(future.await(forever)), "error cancelled");
}

}  // namespace future_suite
