// Task 4: small races, for the schedule explorer to try in every order.
#pragma once

#include <chrono>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "promise.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "suite_support.hpp"
#include "testing/kit.hpp"

namespace promise_suite {

using namespace futures;  // these files are parts of one suite, nobody else includes them

TEST(Explored, OfTwoResolversOneWinsAndItsValueStands) {
  Promise<int> promise;
  ASSERT_FALSE(promise.settled());
  bool first = false;
  bool second = false;
  std::jthread other([&] { first = promise.resolve(1); });
  second = promise.resolve(2);
  other.join();
  ASSERT_NE(first, second) << (first ? "both were told that they settled the promise"
                                     : "neither was told that it settled the promise");
  EXPECT_EQ(said(promise.await(kForever)), first ? "the value 1" : "the value 2");
}

TEST(Explored, AnAwaiterWhoseCopyThrowsKeepsNobodyWaiting) {
  Promise<Brittle> promise;
  ASSERT_FALSE(promise.settled());
  const auto await = [&](bool brittle) {
    Brittle::armed = brittle;
    try {
      EXPECT_TRUE(promise.await(kForever) || brittle);
    } catch (const std::runtime_error&) {
      EXPECT_TRUE(brittle);
    }
  };
  const std::jthread one(await, true);
  const std::jthread two(await, false);
  promise.resolve(Brittle{});
}

TEST(Explored, WhatIsSecondInARaceIsDroppedToo) {
  const auto kept_after = [](int resolvers) {
    const int before = workbook::Tracked::live();
    Promise<workbook::Tracked> promise;
    std::vector<std::jthread> others;
    for (int i = 1; i < resolvers; ++i) {
      others.emplace_back([&] { promise.resolve(workbook::Tracked{}); });
    }
    promise.resolve(workbook::Tracked{});
    others.clear();
    return workbook::Tracked::live() - before;
  };
  const int of_one = kept_after(1);
  EXPECT_GE(of_one, 1) << "the promise must keep its value";
  EXPECT_EQ(kept_after(2), of_one) << "the calls that came second have returned; what does the "
                                      "value that one of them brought wait for?";
}

TEST(Explored, ResolveRacesReject) {
  Promise<int> promise;
  ASSERT_FALSE(promise.settled());
  bool rejected = false;
  std::jthread other([&] { rejected = promise.reject(Error{Errc::unavailable, ""}); });
  const bool resolved = promise.resolve(2);
  other.join();
  ASSERT_NE(resolved, rejected);
  EXPECT_EQ(promise.await(kForever).has_value(), resolved)
      << "the result is not the one of the call that won";
}

TEST(Explored, AnAwaiterNeverMissesTheResult) {
  Promise<int> promise;
  ASSERT_FALSE(promise.settled());
  std::jthread resolver([&] { promise.resolve(7); });
  EXPECT_EQ(said(promise.await(kForever)), "the value 7");
}

TEST(Explored, TwoAwaitersBothGetTheResult) {
  Promise<int> promise;
  ASSERT_FALSE(promise.settled());
  std::jthread other([&] { EXPECT_EQ(said(promise.await(kForever)), "the value 7"); });
  std::jthread resolver([&] { promise.resolve(7); });
  EXPECT_EQ(said(promise.await(kForever)), "the value 7");
}

TEST(Explored, AnAwaiterWhoseContextEndsKeepsNobodyWaiting) {
  Promise<int> promise;
  ASSERT_FALSE(promise.settled());
  auto source = with_cancel(kForever);
  const std::jthread hurried([&] { (void)promise.await(source.context()); });
  const std::jthread patient([&] { EXPECT_EQ(said(promise.await(kForever)), "the value 7"); });
  (void)workbook::let_all_wait();
  promise.resolve(7);
  source.cancel();
}

TEST(Explored, TheAwaiterMayDestroyThePromise) {
  auto promise = std::make_unique<Promise<int>>();
  ASSERT_FALSE(promise->settled());
  std::jthread resolver([p = promise.get()] { p->resolve(7); });
  EXPECT_TRUE(promise->await(kForever));
  promise.reset();
}

TEST(Explored, AResultThatCameBeforeTheCancellationWins) {
  Promise<int> promise;
  ASSERT_FALSE(promise.settled());
  auto source = with_cancel(kForever);
  std::jthread resolver([&] {
    promise.resolve(7);
    source.cancel();
  });
  EXPECT_EQ(said(promise.await(source.context())), "the value 7")
      << "resolve had returned before the context was cancelled";
}

TEST(Explored, ACancellationIsNeverMissed) {
  const Promise<int> promise;
  ASSERT_FALSE(promise.settled());
  auto source = with_cancel(kForever);
  std::jthread canceller([&] { source.cancel(); });
  const auto result = promise.await(source.context());
  ASSERT_FALSE(result) << "nobody settled the promise, and yet await returned " << said(result);
  EXPECT_EQ(result.error().code, Errc::cancelled);
}

TEST(Explored, ResolveAndCancelAtTheSameTimeGiveOneOrTheOther) {
  Promise<int> promise;
  ASSERT_FALSE(promise.settled());
  auto source = with_cancel(kForever);
  std::jthread resolver([&] { promise.resolve(7); });
  std::jthread canceller([&] { source.cancel(); });
  const auto result = promise.await(source.context());
  if (result) {
    EXPECT_EQ(*result, 7);
  } else {
    EXPECT_EQ(result.error().code, Errc::cancelled);
  }
}

TEST(Explored, AnAwaiterThatHasLeftIsLeftAlone) {
  Promise<int> promise;
  ASSERT_FALSE(promise.settled());
  auto source = with_cancel(kForever);
  std::jthread resolver([&] { promise.resolve(7); });
  std::jthread canceller([&] { source.cancel(); });
  (void)promise.await(source.context());
  EXPECT_TRUE(workbook::stack_is_left_alone([&] {
    resolver.join();
    canceller.join();
  })) << "await has returned, and somebody still wrote to what it had on its stack";
}

TEST(Explored, SettledStaysTrueWhateverOthersDo) {
  Promise<int> promise;
  ASSERT_TRUE(promise.resolve(7));
  std::jthread other([&] { EXPECT_TRUE(promise.settled()) << "resolve had returned before"; });
  EXPECT_TRUE(promise.settled()) << "resolve has returned; that somebody else is looking at the "
                                    "promise, too, does not change that";
}

TEST(Explored, AResultIsThereForManyAtOnce) {
  Promise<int> promise;
  ASSERT_TRUE(promise.resolve(7));
  const auto ended = cancelled_context();
  const auto await = [&] {
    EXPECT_EQ(said(promise.await(ended)), "the value 7")
        << "resolve had returned before; that somebody else is being served makes it no less so";
  };
  await();  // on this thread first: what is not implemented yet is thrown
  const std::jthread other(await);
  await();
}

TEST(Explored, OnceSettledIsTrueTheResultIsThere) {
  Promise<int> promise;
  ASSERT_FALSE(promise.settled());
  const auto ended = cancelled_context();
  std::jthread resolver([&] { promise.resolve(7); });
  if (promise.settled()) {
    EXPECT_EQ(said(promise.await(ended)), "the value 7")
        << "settled() said that there is a result, and then await could not find it";
  }
}

// Whoever looks at the clock may see the deadline pass before the context has been told.
TEST(Explored, ADeadlineThatPassesIsToldAsSuch) {
  const Promise<int> promise;
  ASSERT_FALSE(promise.settled());
  const auto source = with_timeout(kForever, std::chrono::milliseconds(10));
  const auto result = promise.await(source.context());
  ASSERT_FALSE(result) << "nobody settled the promise, and yet await returned " << said(result);
  EXPECT_EQ(result.error().code, Errc::deadline_exceeded);
}

}  // namespace promise_suite
