// What a tracker of futures must do. Every test is a sentence; a failure says what was seen and
// what to think about next.
#include <concepts>
#include <utility>

#include "suite_explored.hpp"
#include "suite_support.hpp"

#ifndef WORKBOOK_RUNS_EXPLORED_ONLY
#include "suite_lifecycle.hpp"
#include "suite_stress.hpp"

namespace tracker_suite {

// The types of the contract: a value of any other could compare equal to whatever is expected.
static_assert(
    requires(Tracker& tracker) {
      { tracker.make<int>() } -> std::same_as<std::pair<Future<int>, Resolver<int>>>;
    }, "make<T>() returns a pair of Future<T> and Resolver<T>");
static_assert(
    requires(Tracker& tracker, const Context& context, Fn<Result<int>(const Context&)>& fn) {
      { tracker.go<int>(context, std::move(fn)) } -> std::same_as<Future<int>>;
    }, "go<T>() returns a Future<T>");
static_assert(
    requires(Tracker& tracker) {
      { std::as_const(tracker).report() } -> std::same_as<std::vector<LeakInfo>>;
    }, "report() returns a std::vector<LeakInfo>");
static_assert(
    requires(LeakInfo& leak) {
      { leak.id } -> std::same_as<std::uint64_t&>;
    }, "LeakInfo was given");
static_assert(
    requires(LeakInfo& leak) {
      { leak.where } -> std::same_as<std::source_location&>;
    }, "LeakInfo was given");
static_assert(
    requires(LeakInfo& leak) {
      { leak.age } -> std::same_as<std::chrono::nanoseconds&>;
    }, "LeakInfo was given");

TEST(Basic, WhatMakeReturnsIsAFutureLikeAnyOther) {
  Tracker tracker;
  auto [future, resolver] = tracker.make<int>();
  EXPECT_FALSE(future.settled());
  EXPECT_TRUE(resolver.resolve(7));
  EXPECT_FALSE(resolver.resolve(8)) << "it was settled before";
  EXPECT_EQ(show(future.await(forever)), "value 7");

  auto [failing, rejecter] = tracker.make<std::string>();
  EXPECT_TRUE(rejecter.reject(Error{Errc::not_found, "nobody of that name"}));
  EXPECT_EQ(show(failing.await(forever)), "error not found");

  auto [wanted, asked] = tracker.make<int>();
  EXPECT_EQ(show(wanted.await(ended())), "error cancelled");
  wanted.cancel();
  EXPECT_TRUE(asked.context().done()) << "the producer was asked to stop, and never heard of it";
}

TEST(Basic, WhatGoReturnsIsAFutureLikeAnyOther) {
  Tracker tracker;
  auto fine = tracker.go<int>(
      forever,
      [owned = std::make_unique<int>(7)](const Context&) -> Result<int> { return *owned; });
  EXPECT_EQ(show(fine.await(forever)), "value 7");
  auto fails = tracker.go<int>(forever, [](const Context&) -> Result<int> {
    return std::unexpected(Error{Errc::not_found, "nobody of that name"});
  });
  EXPECT_EQ(show(fails.await(forever)), "error not found");
  auto throws = tracker.go<int>(
      forever, [](const Context&) -> Result<int> { throw std::runtime_error("out of paper"); });
  EXPECT_EQ(show(throws.await(forever)), "error exception");
  auto throws_anything = tracker.go<int>(forever, [](const Context&) -> Result<int> { throw 42; });
  EXPECT_EQ(show(throws_anything.await(forever)), "error exception");
}

TEST(Basic, NothingWasMadeAndNothingIsReported) {
  const Tracker tracker;
  EXPECT_TRUE(tracker.report().empty());
  EXPECT_TRUE(tracker.report(1h).empty());
}

TEST(Basic, WhatIsUnsettledIsReported) {
  Tracker tracker;
  const Pending<> pending(tracker);
  let_time_pass();
  EXPECT_EQ(tracker.report().size(), 1u) << "one future was made, and nobody has settled it";
  EXPECT_EQ(tracker.report().size(), 1u) << "to report a leak is not to repair it: it was reported "
                                            "before, and it is still there";
}

TEST(Basic, WhatIsSettledIsNotReported) {
  Tracker tracker;
  Pending<> resolved(tracker);
  Pending<> rejected(tracker);
  Pending<> stays(tracker, Here::current());
  let_time_pass();
  ASSERT_EQ(tracker.report().size(), 3u);
  resolved.resolver.resolve(1);
  EXPECT_EQ(tracker.report().size(), 2u) << "resolve() has returned";
  rejected.resolver.reject(Error{Errc::not_found, ""});
  EXPECT_EQ(tracker.report().size(), 1u) << "reject() has returned: an error is an end, too";
  stays.resolver.resolve(1);
  EXPECT_TRUE(tracker.report().empty());
}

TEST(Basic, ABrokenPromiseIsSettledToo) {
  Tracker tracker;
  auto both = std::make_unique<Pending<>>(tracker);
  let_time_pass();
  ASSERT_EQ(tracker.report().size(), 1u);
  const auto future = both->future;
  both.reset();
  EXPECT_EQ(show(future.await(forever)), "error broken promise");
  EXPECT_TRUE(tracker.report().empty())
      << "the resolver is gone, and its future was rejected with broken_promise";
}

TEST(Basic, AResolverThatIsMovedOverSettlesItsOldFutureOnly) {
  Tracker tracker;
  Pending<> old_one(tracker, Here::current());
  const auto line_of_the_new = Here::current();
  Pending<> new_one(tracker, line_of_the_new);
  let_time_pass();
  old_one.resolver = std::move(new_one.resolver);
  EXPECT_EQ(places(tracker.report()), place(line_of_the_new))
      << "the old future lost its resolver and is settled; the new one's has only moved";
  old_one.resolver.resolve(1);
  EXPECT_TRUE(tracker.report().empty());
}

TEST(Basic, MakeBlamesTheLineOfItsCall) {
  Tracker tracker;
  const auto line_before = Here::current();
  auto [future, resolver] = tracker.make<int>();
  let_time_pass();
  const auto report = tracker.report();
  ASSERT_EQ(report.size(), 1u);
  EXPECT_EQ(std::string_view(report[0].where.file_name()), line_before.file_name());
  EXPECT_EQ(report[0].where.line(), line_before.line() + 1)
      << "this is not the line that made the future; the report blames " << place(report[0].where);
}

TEST(Basic, GoBlamesTheLineOfItsCall) {
  Tracker tracker;
  const auto gate = std::make_shared<workbook::Gate>();
  const OpenAtTheEnd at_the_end(gate);
  const auto work = [gate](const Context&) -> Result<int> {
    gate->wait();
    return 1;
  };
  const auto line_before = Here::current();
  auto future = tracker.go<int>(forever, work);
  let_time_pass();
  const auto report = tracker.report();
  gate->open();
  EXPECT_EQ(show(future.await(forever)), "value 1");
  ASSERT_EQ(report.size(), 1u) << "its function is still running";
  EXPECT_EQ(std::string_view(report[0].where.file_name()), line_before.file_name());
  EXPECT_EQ(report[0].where.line(), line_before.line() + 1)
      << "the report blames " << place(report[0].where)
      << ": a default argument names the line of the call that leaves it out. Which call was that?";
}

TEST(Basic, WhoeverPassesALineOnIsNotBlamed) {
  Tracker tracker;
  const auto gate = std::make_shared<workbook::Gate>();
  const OpenAtTheEnd at_the_end(gate);
  // A helper that makes futures for others, and hands on who asked.
  const auto made = [&tracker](Here where = Here::current()) { return tracker.make<int>(where); };
  const auto started = [&tracker, gate](Here where = Here::current()) {
    return tracker.go<int>(
        forever,
        [gate](const Context&) -> Result<int> {
          gate->wait();
          return 1;
        },
        where);
  };
  const auto line_before = Here::current();
  const auto ends = made();
  let_time_pass();
  const auto future = started();
  let_time_pass();
  const auto report = tracker.report();
  gate->open();
  (void)future.await(forever);
  ASSERT_EQ(report.size(), 2u);
  EXPECT_EQ(report[0].where.line(), line_before.line() + 1) << place(report[0].where);
  EXPECT_EQ(report[1].where.line(), line_before.line() + 3) << place(report[1].where);
}

TEST(Basic, TwoFuturesOfOneLineAreTwoEntries) {
  Tracker tracker;
  std::vector<Pending<>> pending;
  for (int i = 0; i < 3; ++i) pending.emplace_back(tracker);  // one line, three futures
  let_time_pass();
  const auto report = tracker.report();
  EXPECT_EQ(report.size(), 3u) << "one line made three futures";
  EXPECT_EQ(ids(report).size(), report.size()) << "two of them have the same id";
  pending[1].resolver.resolve(1);
  EXPECT_EQ(tracker.report().size(), 2u) << "one was settled, two of the same line were not";
}

TEST(Basic, AFutureKeepsItsId) {
  Tracker tracker;
  Pending<> first(tracker);
  let_time_pass();
  Pending<> second(tracker);
  let_time_pass();
  const auto before = tracker.report();
  ASSERT_EQ(before.size(), 2u);
  first.resolver.resolve(1);
  const auto after = tracker.report();
  ASSERT_EQ(after.size(), 1u);
  EXPECT_EQ(after[0].id, before[1].id)
      << "the same future in two reports, and it goes by another id";
}

TEST(Basic, NoIdIsUsedTwice) {
  Tracker tracker;
  Pending<> stays(tracker);
  let_time_pass();
  std::set<std::uint64_t> seen = ids(tracker.report());
  ASSERT_EQ(seen.size(), 1u);
  for (std::size_t i = 1; i <= 20; ++i) {
    Pending<> comes_and_goes(tracker);
    let_time_pass();
    const auto report = tracker.report();
    ASSERT_EQ(report.size(), 2u);
    ASSERT_NE(report[0].id, report[1].id) << "two unsettled futures with the same id";
    seen.merge(ids(report));
    ASSERT_EQ(seen.size(), 1 + i) << "this future has the id of one that was settled before: "
                                     "whoever compares two reports takes them for the same";
    comes_and_goes.resolver.resolve(1);
  }
}

TEST(Basic, TheOldestComesFirst) {
  Tracker tracker;
  std::vector<Pending<>> numbers;
  std::vector<Pending<std::string>> texts;
  std::string expected;
  // Enough of them, and of two types, so that no table happens to have them in this order.
  for (int i = 0; i < 20; ++i) {
    const auto here = Here::current();
    if (i % 3 == 0) {
      texts.emplace_back(tracker, here);
    } else {
      numbers.emplace_back(tracker, here);
    }
    let_time_pass();
  }
  const auto report = tracker.report();
  ASSERT_EQ(report.size(), 20u);
  EXPECT_TRUE(oldest_first(report)) << "somebody stands behind one that is younger";
  numbers[4].resolver.resolve(1);
  texts[2].resolver.resolve("");
  EXPECT_TRUE(oldest_first(tracker.report())) << "the same after some were settled";
}

TEST(Basic, TheOldestComesFirstThoughTheYoungestIsJustAsOld) {
  for (std::size_t round = 0; round < workbook::rounds(100); ++round) {
    Tracker tracker;
    // Made one right after the other. Where each was made tells them apart.
    const std::array<Pending<>, 12> made = {
        Pending<>(tracker), Pending<>(tracker), Pending<>(tracker), Pending<>(tracker),
        Pending<>(tracker), Pending<>(tracker), Pending<>(tracker), Pending<>(tracker),
        Pending<>(tracker), Pending<>(tracker), Pending<>(tracker), Pending<>(tracker)};
    const auto report = tracker.report();
    ASSERT_EQ(report.size(), made.size());
    for (std::size_t n = 1; n < report.size(); ++n) {
      const auto& older = report[n - 1];
      const auto& younger = report[n];
      if (older.age == younger.age) continue;
      ASSERT_LT(std::pair(older.where.line(), older.where.column()),
                std::pair(younger.where.line(), younger.where.column()))
          << "the second of these is listed as older by " << (older.age - younger.age).count()
          << " ns, and was made before: are all ages taken at one time?";
    }
  }
}

TEST(Basic, TheAgeIsTheTimeSinceTheCall) {
  Tracker tracker;
  const auto before_make = Clock::now();
  const Pending<> pending(tracker);
  const auto after_make = Clock::now();
  std::this_thread::sleep_for(20ms);
  const auto before_report = Clock::now();
  const auto report = tracker.report();
  const auto after_report = Clock::now();
  ASSERT_EQ(report.size(), 1u);
  EXPECT_GE(report[0].age, before_report - after_make) << "it is older than that";
  EXPECT_LE(report[0].age, after_report - before_make) << "it did not exist that long ago";
}

TEST(Basic, TheAgeOfWhatGoStartedIsTheTimeSinceTheCall) {
  Tracker tracker;
  const auto gate = std::make_shared<workbook::Gate>();
  const OpenAtTheEnd at_the_end(gate);
  const auto before_go = Clock::now();
  const auto future = tracker.go<int>(forever, [gate](const Context&) -> Result<int> {
    gate->wait();
    return 1;
  });
  const auto after_go = Clock::now();
  std::this_thread::sleep_for(5ms);
  const auto before_report = Clock::now();
  const auto report = tracker.report();
  const auto after_report = Clock::now();
  gate->open();
  (void)future.await(forever);
  ASSERT_EQ(report.size(), 1u);
  EXPECT_GE(report[0].age, before_report - after_go) << "it is older than that";
  EXPECT_LE(report[0].age, after_report - before_go) << "it did not exist that long ago";
}

TEST(Basic, TheYoungAreSpared) {
  Tracker tracker;
  const auto start = Clock::now();
  const Pending<> pending(tracker);
  const auto report = tracker.report(1h);
  if (Clock::now() - start >= 1h) return;  // not on this machine, but who knows
  EXPECT_TRUE(report.empty())
      << "asked for what is older than an hour, and told of work that has just begun";
  EXPECT_TRUE(tracker.report(24h * 365 * 100).empty());
}

TEST(Basic, ExactlyTheOldAreReported) {
  // The old future is certainly older than the limit. That the young one is not is known only
  // afterwards: a machine that was away for too long in between gets another try, with more time.
  for (auto gap = 5ms;; gap *= 2) {
    Tracker tracker;
    const auto line_of_the_old = Here::current();
    const Pending<> old_one(tracker, line_of_the_old);
    const auto after_old = Clock::now();
    std::this_thread::sleep_for(gap);
    const auto before_young = Clock::now();
    const Pending<> young_one(tracker);
    const auto limit = Clock::now() - after_old;
    const auto report = tracker.report(limit);
    if (Clock::now() - before_young >= limit) continue;
    EXPECT_EQ(places(report), place(line_of_the_old))
        << "of two futures only the one of that line is at least "
        << std::chrono::duration_cast<std::chrono::microseconds>(limit).count()
        << " microseconds old";
    return;
  }
}

TEST(Basic, TwoTrackersKnowNothingOfEachOther) {
  auto one = std::make_unique<Tracker>();
  Tracker other;
  Pending<> of_one(*one);
  Pending<> of_other(other);
  let_time_pass();
  EXPECT_EQ(one->report().size(), 1u);
  EXPECT_EQ(other.report().size(), 1u);
  of_one.resolver.resolve(1);
  EXPECT_TRUE(one->report().empty());
  EXPECT_EQ(other.report().size(), 1u) << "a future of another tracker was settled, not this one's";
  Pending<> late(*one);
  one.reset();
  one = std::make_unique<Tracker>();
  EXPECT_TRUE(one->report().empty()) << "a new tracker has made nothing yet";
}

TEST(Basic, ATrackerMayBeGoneBeforeItsFutures) {
  auto tracker = std::make_unique<Tracker>();
  auto [future, resolver] = tracker->make<int>();
  auto [broken, dropped] = tracker->make<int>();
  const auto gate = std::make_shared<workbook::Gate>();
  const OpenAtTheEnd at_the_end(gate);
  auto running = tracker->go<int>(forever, [gate](const Context&) -> Result<int> {
    gate->wait();
    return 8;
  });
  tracker.reset();
  EXPECT_FALSE(future.settled()) << "the end of the tracker is not the end of what it watched";
  EXPECT_TRUE(resolver.resolve(7));
  EXPECT_EQ(show(future.await(forever)), "value 7");
  {
    const auto gone = std::move(dropped);
  }
  EXPECT_EQ(show(broken.await(forever)), "error broken promise");
  gate->open();
  EXPECT_EQ(show(running.await(forever)), "value 8");
}

}  // namespace tracker_suite

#endif
