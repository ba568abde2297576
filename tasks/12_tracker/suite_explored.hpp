// Task 12: small races, for the schedule explorer to try in every order.
#pragma once

#include "suite_support.hpp"

namespace tracker_suite {

TEST(Explored, OnceSettlingHasReturnedItIsGone) {
  Tracker tracker;
  Pending<> pending(tracker);
  pending.resolver.resolve(1);
  EXPECT_TRUE(tracker.report().empty()) << "resolve() has returned, and it is still reported";
}

TEST(Explored, OnceTheResolverIsGoneItIsGone) {
  Tracker tracker;
  {
    const Pending<> pending(tracker);
  }
  EXPECT_TRUE(tracker.report().empty()) << "the resolver is gone, its future is still reported";
}

TEST(Explored, TwoThreadsMakeOneEach) {
  Tracker tracker;
  {
    const Pending<> before_any_thread_relies_on_it(tracker);
  }
  std::optional<Pending<>> theirs;
  std::jthread other([&] { theirs.emplace(tracker); });
  const Pending<> mine(tracker);
  other.join();
  let_time_pass();
  const auto report = tracker.report();
  EXPECT_EQ(report.size(), 2u);
  EXPECT_EQ(ids(report).size(), report.size()) << "two futures, one id";
}

TEST(Explored, TwoThreadsSettleOneEach) {
  Tracker tracker;
  Pending<> mine(tracker);
  Pending<> theirs(tracker);
  const Pending<> stays(tracker);
  let_time_pass();
  std::jthread other([&] { theirs.resolver.resolve(1); });
  mine.resolver.resolve(1);
  other.join();
  EXPECT_EQ(tracker.report().size(), 1u) << "two of three were settled, by a thread each";
}

TEST(Explored, OneSettlesWhileAnotherMakes) {
  Tracker tracker;
  Pending<> old_one(tracker);
  std::jthread settler([&] { old_one.resolver.resolve(1); });
  const Pending<> new_one(tracker);
  settler.join();
  let_time_pass();
  EXPECT_EQ(tracker.report().size(), 1u);
}

TEST(Explored, OneSettlesWhileAnotherAsks) {
  Tracker tracker;
  const Pending<> stays(tracker);
  let_time_pass();
  Pending<> pending(tracker);
  std::jthread settler([&] { pending.resolver.resolve(1); });
  const auto report = tracker.report();
  EXPECT_TRUE(report.size() == 1 || report.size() == 2) << report.size();
  settler.join();
  EXPECT_EQ(tracker.report().size(), 1u);
}

TEST(Explored, WhatIsSettledIsInNoReportThoughAnotherOneIsBeingWritten) {
  Tracker tracker;
  Pending<> pending(tracker);
  const std::jthread other([&] { tracker.report(); });
  pending.resolver.resolve(1);
  EXPECT_EQ(tracker.report().size(), 0u)
      << "settling had returned; does the report that somebody else writes just now keep it alive?";
}

TEST(Explored, OneMakesWhileAnotherAsks) {
  Tracker tracker;
  const Pending<> stays(tracker);
  let_time_pass();
  std::optional<Pending<>> theirs;
  std::jthread other([&] { theirs.emplace(tracker); });
  const auto report = tracker.report();
  EXPECT_TRUE(report.size() == 1 || report.size() == 2) << report.size();
  EXPECT_TRUE(oldest_first(report));
  other.join();
}

TEST(Explored, AFunctionMayEndBeforeGoReturns) {
  Tracker tracker;
  const auto future = tracker.go<int>(forever, [](const Context&) -> Result<int> { return 1; });
  EXPECT_EQ(show(future.await(forever)), "value 1");
  EXPECT_TRUE(reports_eventually(tracker, 0))
      << "the function has ended: what if it did so before the tracker came round to watching it?";
}

TEST(Explored, AFunctionMayThrowBeforeGoReturns) {
  Tracker tracker;
  tracker.go<int>(forever, [](const Context&) -> Result<int> { throw 42; });
  EXPECT_TRUE(reports_eventually(tracker, 0));
}

TEST(Explored, TheTrackerGoesWhileAFutureSettles) {
  auto tracker = std::make_unique<Tracker>();
  Pending<> pending(*tracker);
  std::jthread settler([&] { pending.resolver.resolve(7); });
  tracker.reset();
  settler.join();
  EXPECT_EQ(show(pending.future.await(forever)), "value 7");
}

TEST(Explored, TheTrackerGoesWhileAFunctionEnds) {
  auto tracker = std::make_unique<Tracker>();
  const auto future = tracker->go<int>(forever, [](const Context&) -> Result<int> { return 7; });
  tracker.reset();
  EXPECT_EQ(show(future.await(forever)), "value 7");
}

TEST(Explored, WhoLearnsOfTheResultAtOnceMayAskForAReport) {
  Tracker tracker;
  Pending<> pending(tracker);
  const Pending<> stays(tracker);
  let_time_pass();
  pending.future.on_settled([&](const Result<int>&) { (void)tracker.report(); });
  std::jthread settler([&] { pending.resolver.resolve(1); });
  EXPECT_GE(tracker.report().size(), 1u);
  settler.join();
  EXPECT_EQ(tracker.report().size(), 1u);
}

}  // namespace tracker_suite
