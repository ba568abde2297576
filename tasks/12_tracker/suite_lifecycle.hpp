// Task 12: what counts as settled and what does not, who outlives whom, and what tracking costs.
#pragma once

#include <ctime>
#include <functional>

#include "suite_clock.hpp"
#include "suite_support.hpp"

namespace tracker_suite {

// The processor time that `work` takes on this thread: unlike the time on the wall it does not grow
// when others keep the machine busy.
template <class Work>
std::chrono::duration<double> processor_time(Work work) {
  const auto now = [] {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  };
  const auto begin = now();
  work();
  return now() - begin;
}

TEST(Lifecycle, ToDropTheFutureSettlesNothing) {
  Tracker tracker;
  auto pending = std::make_unique<Pending<>>(tracker);
  auto resolver = std::move(pending->resolver);
  pending.reset();  // every handle that could be awaited is gone
  let_time_pass();
  EXPECT_EQ(tracker.report().size(), 1u)
      << "nobody awaits it, but a producer still owes a result: that is a leak to tell of";
  resolver.resolve(1);
  EXPECT_TRUE(tracker.report().empty());
}

TEST(Lifecycle, ToCancelOrToGiveUpSettlesNothing) {
  Tracker tracker;
  Pending<> pending(tracker);
  pending.future.cancel();
  EXPECT_EQ(show(pending.future.await(ended())), "error cancelled");
  let_time_pass();
  EXPECT_EQ(tracker.report().size(), 1u)
      << "a producer that was asked to stop and does not answer is what a tracker is for";
  pending.resolver.reject(Error{Errc::cancelled, "as you wish"});
  EXPECT_TRUE(tracker.report().empty());
}

TEST(Lifecycle, AResolverThatMovesHouseIsTheSame) {
  Tracker tracker;
  auto [future, resolver] = tracker.make<int>();
  let_time_pass();
  auto owner = std::make_unique<Resolver<int>>(std::move(resolver));
  EXPECT_EQ(tracker.report().size(), 1u);
  std::thread([moved = std::move(*owner)]() mutable { moved.resolve(1); }).join();
  EXPECT_TRUE(tracker.report().empty()) << "another thread has settled it, and has ended";
  EXPECT_EQ(show(future.await(forever)), "value 1");
}

TEST(Lifecycle, OnceSettlingHasReturnedItIsGone) {
  Tracker tracker;
  // A watcher that has to wake up first is late at least once in so many times.
  for (std::size_t i = 0; i < workbook::rounds(400); ++i) {
    auto pending = std::make_unique<Pending<>>(tracker);
    switch (i % 3) {
      case 0:
        pending->resolver.resolve(1);
        break;
      case 1:
        pending->resolver.reject(Error{Errc::not_found, ""});
        break;
      default:
        pending.reset();
    }
    ASSERT_TRUE(tracker.report().empty())
        << "settling has returned, future " << i << " is still reported. On which thread does the "
        << "tracker hear of it, and when?";
  }
}

TEST(Lifecycle, WhatGoStartedIsReportedUntilItEnds) {
  Tracker tracker;
  const auto gate = std::make_shared<workbook::Gate>();
  const OpenAtTheEnd at_the_end(gate);
  const auto number = tracker.go<int>(forever, [gate](const Context&) -> Result<int> {
    gate->wait();
    return 1;
  });
  const auto fails = tracker.go<int>(forever, [gate](const Context&) -> Result<int> {
    gate->wait();
    return std::unexpected(Error{Errc::not_found, ""});
  });
  const auto throws = tracker.go<int>(forever, [gate](const Context&) -> Result<int> {
    gate->wait();
    throw std::runtime_error("out of paper");
  });
  const auto throws_anything = tracker.go<int>(forever, [gate](const Context&) -> Result<int> {
    gate->wait();
    throw 42;
  });
  let_time_pass();
  EXPECT_EQ(tracker.report().size(), 4u) << "four functions are running";
  gate->open();
  for (const auto& future : {number, fails, throws, throws_anything}) (void)future.await(forever);
  EXPECT_TRUE(reports_eventually(tracker, 0))
      << "a value, an error and two exceptions: all four have ended, " << tracker.report().size()
      << " are still reported";
}

TEST(Lifecycle, WhatIsOverBeforeGoReturnsIsNotReportedForEver) {
  Tracker tracker;
  for (std::size_t i = 0; i < workbook::rounds(100); ++i) {
    tracker.go<int>(forever, [](const Context&) -> Result<int> { return 1; });
  }
  EXPECT_TRUE(reports_eventually(tracker, 0))
      << "all have ended, " << tracker.report().size() << " are still reported: what if the future "
      << "is settled before you come round to watching it?";
}

TEST(Lifecycle, AProducerThatNeverSettlesStaysInTheReport) {
  auto source = with_cancel(forever);
  Tracker tracker;
  tracker.go<int>(source.context(), [](const Context& context) -> Result<int> {
    while (context.sleep_for(1h)) {
    }
    return std::unexpected(*context.error());
  });  // nobody keeps the future
  let_time_pass();
  for (int i = 0; i < 3; ++i) {
    let_time_pass();
    const auto report = tracker.report();
    ASSERT_EQ(report.size(), 1u);
    EXPECT_GE(report[0].age, (i + 1) * 1ms) << "it gets older with every report";
  }
  source.cancel();
  EXPECT_TRUE(reports_eventually(tracker, 0)) << "the context given to go() has ended, so the "
                                                 "function must have returned by now";
}

TEST(Lifecycle, GoHandsOnTheContext) {
  Tracker tracker;
  auto begun = std::make_shared<workbook::Gate>();
  const auto until_told = [begun](const Context& context) -> Result<int> {
    begun->open();
    while (context.sleep_for(1h)) {
    }
    return std::unexpected(Error{Errc::unavailable, "told to stop"});
  };
  auto source = with_cancel(forever);
  const auto by_context = tracker.go<int>(source.context(), until_told);
  const auto by_future = tracker.go<int>(forever, until_told);
  begun->wait();
  source.cancel();
  EXPECT_EQ(show(by_context.await(forever)), "error unavailable");
  EXPECT_FALSE(by_future.settled()) << "it was started under another context";
  by_future.cancel();
  EXPECT_EQ(show(by_future.await(forever)), "error unavailable");
  EXPECT_TRUE(reports_eventually(tracker, 0));
}

TEST(Lifecycle, TheFunctionSeesWhatItWouldSeeWithoutATracker) {
  Tracker tracker;
  const auto deadline = Clock::now() + 1h;
  const auto what_it_sees = [&](auto go) {
    auto parent = with_deadline(forever, deadline);
    auto begun = std::make_shared<workbook::Gate>();
    const auto future =
        go(parent.context(), [begun, deadline](const Context& context) -> Result<std::string> {
          begun->open();
          while (context.sleep_for(1h)) {
          }
          return std::string(context.deadline() == deadline ? "the deadline, " : "none, ") +
                 context.error()->message;
        });
    begun->wait();
    parent.cancel(Error{Errc::unavailable, "closed for today"});
    return show(future.await(forever));
  };
  const auto with_it = what_it_sees([&](const Context& context, auto fn) {
    return tracker.go<std::string>(context, std::move(fn));
  });
  const auto without_it = what_it_sees([](const Context& context, auto fn) {
    return futures::go<std::string>(context, std::move(fn));
  });
  EXPECT_EQ(with_it, without_it) << "the deadline and the reason are the caller's business";
  EXPECT_TRUE(reports_eventually(tracker, 0));
}

TEST(Lifecycle, GoUnderAContextThatHasEnded) {
  Tracker tracker;
  const auto future = tracker.go<bool>(
      ended(), [](const Context& context) -> Result<bool> { return context.done(); });
  EXPECT_NE(show(future.await(forever)), "value 0") << "the function's context is still alive";
  EXPECT_TRUE(reports_eventually(tracker, 0));
}

TEST(Lifecycle, GoReturnsWhileItsFunctionRuns) {
  Tracker tracker;
  const auto caller = std::this_thread::get_id();
  const auto gate = std::make_shared<workbook::Gate>();
  const OpenAtTheEnd at_the_end(gate);
  const auto future = tracker.go<bool>(forever, [=](const Context&) -> Result<bool> {
    const bool on_the_caller = std::this_thread::get_id() == caller;
    if (!on_the_caller) gate->wait();
    return on_the_caller;
  });
  gate->open();
  EXPECT_EQ(show(future.await(forever)), "value 0") << "it ran inside the call";
}

TEST(Lifecycle, ACallbackMayAskForAReport) {
  Tracker tracker;
  Pending<> other(tracker);
  Pending<> pending(tracker);
  let_time_pass();
  std::size_t reported = 0;
  const auto ask = [&](const Result<int>&) {
    reported = tracker.report().size();
    Pending<> one_more(tracker);
    one_more.resolver.resolve(1);
  };
  pending.future.on_settled(ask);
  pending.resolver.resolve(1);
  // Settling has not returned yet in there: whether its own future is among them is not promised.
  EXPECT_TRUE(reported == 1 || reported == 2) << reported;
  EXPECT_EQ(tracker.report().size(), 1u);
  pending.future.on_settled(ask);
  EXPECT_EQ(reported, 1u);
  EXPECT_EQ(tracker.report().size(), 1u) << "the other future was not touched";
}

TEST(Lifecycle, AFunctionOfGoMayUseTheTracker) {
  Tracker tracker;
  const auto gate = std::make_shared<workbook::Gate>();
  const OpenAtTheEnd at_the_end(gate);
  const auto future =
      tracker.go<std::size_t>(forever, [&tracker, gate](const Context&) -> Result<std::size_t> {
        gate->wait();
        Pending<> inner(tracker);
        const auto nested =
            tracker.go<int>(forever, [](const Context&) -> Result<int> { return 1; });
        (void)nested.await(forever);
        inner.resolver.resolve(1);
        if (!reports_eventually(tracker, 1)) return tracker.report().size();
        return std::size_t{1};
      });
  let_time_pass();
  gate->open();
  EXPECT_EQ(show(future.await(forever)), "value 1")
      << "a running function is not settled, so it finds itself, and only itself, in the report";
}

TEST(Lifecycle, NobodyIsOlderThanTheOldestAgeThereIs) {
  Tracker tracker;
  const Pending<> pending(tracker);
  EXPECT_TRUE(tracker.report(std::chrono::nanoseconds::max()).empty())
      << "nobody is 292 years old: what is the sum of a time and this age?";
  EXPECT_EQ(tracker.report(std::chrono::nanoseconds(0)).size(), 1u);
}

TEST(Lifecycle, NoIdIsUsedTwiceBySeventyThousand) {
  // More than a number of 16 bits can tell apart.
  constexpr std::size_t many = workbook::flavour() == workbook::Flavour::plain ? 70'000 : 1000;
  Tracker tracker;
  std::set<std::uint64_t> seen;
  for (std::size_t i = 0; i < many; ++i) {
    const Pending<> pending(tracker);
    for (const auto& leak : tracker.report()) {
      ASSERT_TRUE(seen.insert(leak.id).second) << "future number " << i + 1 << " has the id "
                                               << leak.id << ", which was that of another one";
    }
  }
}

TEST(Lifecycle, ACallbackMayDestroyTheTracker) {
  auto tracker = std::make_unique<Tracker>();
  Pending<> pending(*tracker);
  Pending<> later(*tracker);
  pending.future.on_settled([&](const Result<int>&) { tracker.reset(); });
  EXPECT_TRUE(pending.resolver.resolve(1));
  EXPECT_FALSE(tracker) << "the callback was not called";
  EXPECT_TRUE(later.resolver.resolve(1));
}

TEST(Lifecycle, AFunctionOfGoRunsAlsoUnderAContextThatHasEnded) {
  Tracker tracker;
  const auto fn = [](const Context&) -> Result<int> { return 7; };
  EXPECT_EQ(show(tracker.go<int>(workbook::ended(), fn).await(forever)),
            show(futures::go<int>(workbook::ended(), fn).await(forever)))
      << "the futures of a tracker behave in every way like others";
}

TEST(Lifecycle, FunctionsMayEndAfterTheTracker) {
  auto tracker = std::make_unique<Tracker>();
  const auto gate = std::make_shared<workbook::Gate>();
  const OpenAtTheEnd at_the_end(gate);
  std::vector<Future<int>> futures;
  for (std::size_t i = 0; i < 8; ++i) {
    futures.push_back(tracker->go<int>(forever, [gate](const Context&) -> Result<int> {
      gate->wait();
      return 1;
    }));
  }
  tracker.reset();
  gate->open();
  for (const auto& future : futures) EXPECT_EQ(show(future.await(forever)), "value 1");
}

TEST(Lifecycle, AWallClockThatIsSetMakesNobodyYounger) {
  for (const auto error : {-3600s, 3600s}) {
    Tracker tracker;
    const auto before_make = Clock::now();
    const Pending<> pending(tracker);
    const auto after_make = Clock::now();
    const WallClockIsSet set(error);
    const auto before_report = Clock::now();
    const auto report = tracker.report();
    const auto after_report = Clock::now();
    ASSERT_EQ(report.size(), 1u) << "somebody has set the wall clock, and a future has vanished";
    EXPECT_GE(report[0].age, before_report - after_make) << "somebody has set the wall clock";
    EXPECT_LE(report[0].age, after_report - before_make) << "somebody has set the wall clock";
  }
}

TEST(Lifecycle, WhoIsListedLastIsNotOlder) {
  Tracker tracker;
  ASSERT_TRUE(tracker.report().empty());
  {
    const Pending<> before_any_thread_relies_on_it(tracker);
  }
  workbook::Gate looked;
  workbook::Gate made;
  std::optional<Pending<>> slow;
  std::jthread slow_one([&] {
    {
      // Has asked what time it is, and then for long nothing.
      const SlowLookAtTheClock look([&] {
        looked.open();
        (void)made.wait_for(300ms);  // in vain, when nobody else can get in meanwhile
      });
      slow.emplace(tracker);
    }
    looked.open();  // it never asked
  });
  looked.wait();
  const Pending<> quick(tracker);
  made.open();
  slow_one.join();
  const auto report = tracker.report();
  ASSERT_EQ(report.size(), 2u);
  EXPECT_TRUE(oldest_first(report))
      << "one thread looked at the clock, another one overtook it, and now the list is not in the "
         "order of age";
}

TEST(Lifecycle, TrackingTakesNoThreadForEachFuture) {
  Tracker tracker;
  const std::size_t count = workbook::crowd(1000);
  const auto few = workbook::live_threads() + 20;  // room for a helper of the tracker's
  std::vector<Pending<>> pending;
  for (std::size_t i = 0; i < count; ++i) pending.emplace_back(tracker);
  EXPECT_LE(workbook::live_threads(), few)
      << count << " futures wait to be settled, and for each of them a thread waits, too";
}

TEST(Lifecycle, GoTakesOneThreadAndNoSecond) {
  Tracker tracker;
  const std::size_t count = workbook::crowd(100);
  const auto few = workbook::live_threads() + count + 20;
  const auto gate = std::make_shared<workbook::Gate>();
  const OpenAtTheEnd at_the_end(gate);
  std::vector<Future<int>> futures;
  for (std::size_t i = 0; i < count; ++i) {
    futures.push_back(tracker.go<int>(forever, [gate](const Context&) -> Result<int> {
      gate->wait();
      return 1;
    }));
  }
  EXPECT_LE(workbook::live_threads(), few)
      << count << " functions run on a thread each; what do the other threads do?";
  gate->open();
  for (const auto& future : futures) (void)future.await(forever);
}

TEST(Lifecycle, AHundredThousandFutures) {
  const std::size_t count = workbook::rounds(100'000);
  // What the same costs without a tracker, on this machine, in this build.
  const auto plain = processor_time([&] {
    std::vector<std::pair<Future<int>, Resolver<int>>> ends;
    for (std::size_t i = 0; i < count; ++i) ends.push_back(make_future<int>());
    for (auto& [future, resolver] : ends) resolver.resolve(1);
  });
  const auto bound = std::max<std::chrono::duration<double>>(2s, 25 * plain);

  Tracker tracker;
  std::vector<Pending<>> pending;
  pending.reserve(count);
  std::chrono::duration<double> spent{};
  const auto in_time = [&](const char* what, const std::function<void(std::size_t)>& step) {
    for (std::size_t i = 0; i < count && spent < bound;) {
      spent += processor_time([&] {
        for (const auto end = std::min(i + 250, count); i < end; ++i) step(i);
      });
    }
    EXPECT_LT(spent, bound) << what << " " << count
                            << " tracked futures takes too long; untracked, "
                            << "all of it takes " << plain.count() << " s. What does one cost when "
                            << "there are many others?";
    return spent < bound;
  };
  if (!in_time("making", [&](std::size_t) { pending.emplace_back(tracker); })) return;
  let_time_pass();
  EXPECT_EQ(tracker.report().size(), count);
  // From both ends and the middle, whichever of them is the dear one.
  const auto from_everywhere = [&](std::size_t i) {
    const auto third = i / 3;
    const std::size_t which = i % 3 == 0   ? third
                              : i % 3 == 1 ? count - 1 - third
                                           : (count + 2) / 3 + third;
    pending[which].resolver.resolve(1);
  };
  if (!in_time("settling", from_everywhere)) return;
  for (auto& each : pending) each.resolver.resolve(2);  // whom the arithmetic left out
  EXPECT_TRUE(tracker.report().empty()) << tracker.report().size() << " are still reported";
}

TEST(Lifecycle, AResultIsNotKeptForEver) {
  const int before = Tracked::live();
  Tracker tracker;
  const Pending<> stays(tracker);
  for (int i = 0; i < 10; ++i) {
    Pending<Tracked> pending(tracker);
    pending.resolver.resolve(Tracked(1));
    auto future = tracker.go<Tracked>(
        forever, [captured = Tracked(2)](const Context&) -> Result<Tracked> { return Tracked(3); });
    (void)future.await(forever);
  }
  // The last chance for a tracker that tidies up when it is asked.
  EXPECT_TRUE(reports_eventually(tracker, 1));
  {
    const Pending<> one_more(tracker);
  }
  EXPECT_TRUE(reports_eventually(tracker, 1));
  EXPECT_TRUE(workbook::eventually([&] { return Tracked::live() == before; }, 10s))
      << "every handle is gone, " << Tracked::live() - before << " results or captures are still "
      << "alive: the tracker has become a leak itself";
}

TEST(Lifecycle, AFutureThatIsGivenUpIsNotKeptAliveByItself) {
  const int before = Tracked::live();
  {
    Tracker tracker;
    Pending<Tracked> pending(tracker);
    pending.future.on_settled([captured = Tracked(1)](const Result<Tracked>&) {});
    // Neither settled by hand nor awaited: the resolver goes first, then the rest.
    {
      const auto gone = std::move(pending.resolver);
    }
  }
  EXPECT_EQ(Tracked::live(), before);
}

TEST(Lifecycle, AReportOfTheOldTidiesUpAsWell) {
  const int before = Tracked::live();
  Tracker tracker;
  for (int i = 0; i < 10; ++i) {
    Pending<Tracked> pending(tracker);
    pending.resolver.resolve(Tracked(1));
  }
  EXPECT_TRUE(tracker.report(1h).empty());
  EXPECT_TRUE(workbook::eventually([&] { return Tracked::live() == before; }, 10s))
      << "every handle is gone and a report was made, if only of what is an hour old; "
      << Tracked::live() - before << " results are still alive";
}

TEST(Lifecycle, WhatIsSettledCostsNothing) {
  constexpr std::size_t batch = 5'000;
  Tracker tracker;
  const Pending<> stays(tracker);  // the others are not kept because of it
  const auto a_batch = [&tracker] {
    for (std::size_t i = 0; i < batch; ++i) {
      Pending<> pending(tracker);
      pending.resolver.resolve(1);
    }
    EXPECT_EQ(tracker.report().size(), 1u);  // for a tracker that tidies up when it is asked
  };
  a_batch();  // room that it may keep, as a vector does
  const auto before = workbook::heap_in_use();
  for (int i = 0; i < 4; ++i) a_batch();
  const auto kept = workbook::heap_in_use() - before;
  EXPECT_LT(kept, static_cast<std::ptrdiff_t>(4 * batch * 8))
      << "20,000 more futures came, were settled and went, and " << kept << " bytes stayed";
}

}  // namespace tracker_suite
