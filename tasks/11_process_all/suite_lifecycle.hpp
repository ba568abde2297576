// Task 11: what happens after the first error, when the caller's context ends, and what is left.
#pragma once

#include "suite_support.hpp"

namespace process_all_suite {

// The first error ---------------------------------------------------------------------------------

TEST(Lifecycle, AfterAnErrorTheNextJobDoesNotStart) {
  const auto jobs = make_jobs(100);
  Floor floor;
  const auto result =
      process_all(forever, jobs, 1, [&](const Context&, const Job&) -> Result<void> {
        if (floor.enter() == 2) return fail_with(down);
        return {};
      });
  ASSERT_FALSE(result) << "the third job failed: " << describe(result);
  EXPECT_EQ(result.error(), down) << describe(result);
  EXPECT_EQ(floor.entered(), 3u)
      << "one job at a time, and the third one failed: no other may start after it, not even to "
         "see at once that its context has ended";
}

TEST(Lifecycle, AfterAnErrorNoJobTakesThePlaceOfOneThatEnds) {
  const auto jobs = make_jobs(50);
  Floor floor;
  const auto result =
      process_all(forever, jobs, 3, [&](const Context& context, const Job&) -> Result<void> {
        const auto visit = floor.meet(3);
        if (visit == 1) return fail_with(down);
        if (visit < 3) wait_until_told(context);
        return {};
      });
  ASSERT_FALSE(result) << "a job failed: " << describe(result);
  EXPECT_EQ(result.error(), down) << describe(result);
  EXPECT_EQ(floor.entered(), 3u)
      << "three jobs were running when one of them failed; the two others waited until they were "
         "told, so the error was known before any place became free";
}

TEST(Lifecycle, AfterAnErrorNoJobOfThousandsStarts) {
  const auto jobs = make_jobs(5'000);
  for (const std::size_t limit : {2u, 4u}) {
    Floor floor;
    const auto result =
        process_all(forever, jobs, limit, [&](const Context& context, const Job&) -> Result<void> {
          const auto visit = floor.meet(limit);
          if (visit == 1) return fail_with(down);
          if (visit < limit) wait_until_told(context);
          return {};
        });
    ASSERT_FALSE(result) << "a job failed: " << describe(result);
    EXPECT_EQ(floor.entered(), limit)
        << "whoever takes several jobs at a time has to ask again before each of them";
  }
}

TEST(Lifecycle, AnExceptionStopsTheOthersWhateverItIs) {
  const auto jobs = make_jobs(20);
  Floor floor;
  const auto result =
      process_all(forever, jobs, 2, [&](const Context& context, const Job&) -> Result<void> {
        const auto visit = floor.meet(2);
        if (visit == 0) throw 42;
        if (visit == 1) wait_until_told(context);
        return {};
      });
  ASSERT_FALSE(result) << "a job threw 42: " << describe(result);
  EXPECT_EQ(show(result), "error exception") << describe(result);
  EXPECT_EQ(floor.entered(), 2u) << "jobs were started after one had thrown";
}

TEST(Lifecycle, AfterAnExceptionTheNextJobDoesNotStart) {
  const auto jobs = make_jobs(20);
  Floor floor;
  const auto result =
      process_all(forever, jobs, 1, [&](const Context&, const Job&) -> Result<void> {
        floor.enter();
        throw std::runtime_error("out of cheese");
      });
  EXPECT_EQ(show(result), "error exception") << describe(result);
  EXPECT_EQ(floor.entered(), 1u) << "jobs were started after one had thrown";
}

TEST(Lifecycle, TheFirstErrorInTimeWinsWhereverItsJobStands) {
  for (std::size_t failing = 0; failing < 3; ++failing) {
    const auto jobs = make_jobs(3);
    Floor floor;
    const auto result =
        process_all(forever, jobs, 3, [&](const Context& context, const Job& job) -> Result<void> {
          floor.meet(3);
          if (number_of(job) == failing) return fail_with(down);
          wait_until_told(context);
          return fail_with(consequence);
        });
    ASSERT_FALSE(result) << describe(result);
    EXPECT_EQ(result.error(), down)
        << "job " << failing
        << " failed; the two others failed later, and because of it: " << describe(result);
  }
}

TEST(Lifecycle, JobsWithTheSameIdAreJobsLikeAnyOther) {
  std::vector<Job> jobs(3);
  jobs[0].id = jobs[1].id = "twin";
  jobs[2].id = "culprit";
  Floor floor;
  const auto result =
      process_all(forever, jobs, 3, [&](const Context& context, const Job& job) -> Result<void> {
        floor.meet(3);
        if (job.id == "culprit") return fail_with(down);
        wait_until_told(context);
        return fail_with(consequence);
      });
  EXPECT_EQ(floor.entered(), 3u);
  EXPECT_EQ(show(result), "error unavailable") << describe(result);
}

TEST(Lifecycle, TheContextsErrorFromASiblingIsAConsequenceToo) {
  const auto jobs = make_jobs(3);
  Floor floor;
  const auto result =
      process_all(forever, jobs, 3, [&](const Context& context, const Job& job) -> Result<void> {
        floor.meet(3);
        if (number_of(job) == 1) return fail_with(down);
        return stop_when_told(context);
      });
  ASSERT_FALSE(result) << describe(result);
  EXPECT_EQ(result.error(), down) << "a job failed, the others said \"cancelled\" because of that: "
                                  << describe(result);
}

TEST(Lifecycle, AnExceptionFromASiblingIsAConsequenceToo) {
  for (const bool cause_is_thrown : {false, true}) {
    const auto jobs = make_jobs(3);
    Floor floor;
    const auto result =
        process_all(forever, jobs, 3, [&](const Context& context, const Job& job) -> Result<void> {
          floor.meet(3);
          if (number_of(job) == 1) {
            if (cause_is_thrown) throw std::runtime_error(down.message);
            return fail_with(down);
          }
          wait_until_told(context);
          if (number_of(job) == 0) return fail_with(consequence);
          throw std::runtime_error(consequence.message);
        });
    ASSERT_FALSE(result) << describe(result);
    EXPECT_EQ(result.error().message, down.message)
        << "a job failed" << (cause_is_thrown ? " with an exception" : "")
        << ", of the others one returned an error and one threw because they were told to stop. "
           "Whichever way an error comes, is there a look whether it is the first? "
        << describe(result);
    EXPECT_EQ(result.error().code, cause_is_thrown ? Errc::exception : down.code)
        << describe(result);
  }
}

TEST(Lifecycle, TheCauseIsKnownBeforeAnybodyIsToldToStop) {
  const auto jobs = make_jobs(2);
  Floor floor;
  workbook::Gate told;
  std::optional<std::stop_callback<std::function<void()>>> listener;
  const auto result =
      process_all(forever, jobs, 2, [&](const Context& context, const Job& job) -> Result<void> {
        if (number_of(job) == 0) {
          // Runs inside the call that ends the context, and keeps it there for a while.
          listener.emplace(context.stop_token(), [&] {
            told.open();
            std::this_thread::sleep_for(50ms);
          });
        }
        floor.meet(2);
        if (number_of(job) == 1) return fail_with(down);
        EXPECT_TRUE(told.wait_for()) << "a job failed, and the other one was never told";
        return fail_with(consequence);
      });
  ASSERT_FALSE(result) << describe(result);
  EXPECT_EQ(result.error(), down)
      << "a job was told to stop and said so, quicker than the cause could be written down: "
      << describe(result);
}

TEST(Lifecycle, AJobMayFailWithCancelledOfItsOwnAccord) {
  const Error escape{Errc::cancelled, "the user pressed escape"};
  const auto jobs = make_jobs(10);
  Floor floor;
  const auto result =
      process_all(forever, jobs, 2, [&](const Context& context, const Job&) -> Result<void> {
        if (floor.meet(2) == 0) return fail_with(escape);
        // An error of this one could be "the real one, hidden by cancelled": so it has none.
        wait_until_told(context);
        return {};
      });
  ASSERT_FALSE(result) << "a job failed; its code happens to be \"cancelled\", but nobody had "
                          "cancelled it: "
                       << describe(result);
  EXPECT_EQ(result.error(), escape) << "this was the only error: " << describe(result);
  EXPECT_EQ(floor.entered(), 2u);
}

TEST(Lifecycle, TheLastJobCountsAsWell) {
  for (const std::size_t limit : {1u, 2u, 5u}) {
    const auto jobs = make_jobs(5);
    Floor floor;
    const auto result =
        process_all(forever, jobs, limit, [&](const Context&, const Job&) -> Result<void> {
          if (floor.enter() == 4) return fail_with(down);
          return {};
        });
    ASSERT_FALSE(result) << "the last of five jobs failed, with limit " << limit << ": "
                         << describe(result);
    EXPECT_EQ(result.error(), down) << describe(result);
  }
}

TEST(Lifecycle, ACancellationThatFollowsAFailureDoesNotHideIt) {
  auto parent = with_cancel(forever);
  const auto jobs = make_jobs(6);
  Floor floor;
  const auto result =
      process_all(parent.context(), jobs, 2, [&](const Context& context, const Job&) {
        if (floor.meet(2) == 0) return Result<void>(fail_with(down));
        wait_until_told(context);  // so the failure is known
        parent.cancel();
        return Result<void>();
      });
  ASSERT_FALSE(result) << describe(result);
  EXPECT_EQ(result.error(), down) << "the job failed before the caller cancelled: "
                                  << describe(result);
}

TEST(Lifecycle, AnEmptyFunctionIsAnErrorNotACrash) {
  const auto jobs = make_jobs(3);
  const auto result = process_all(forever, jobs, 2, Process());
  EXPECT_FALSE(result) << "no job can have succeeded: " << describe(result);
}

// The caller's context ----------------------------------------------------------------------------

TEST(Lifecycle, UnderADeadContextNothingRuns) {
  const auto jobs = make_jobs(20);
  Floor floor;
  const auto process = [&](const Context&, const Job&) {
    floor.enter();
    return Result<void>();
  };
  const auto result = process_all(ended(), jobs, 4, process);
  EXPECT_EQ(show(result), "error cancelled") << "20 jobs were left out: " << describe(result);
  EXPECT_EQ(floor.entered(), 0u) << "the context had been cancelled beforehand";

  const auto expired = with_deadline(forever, Clock::now() - 1s);
  const auto late = process_all(expired.context(), jobs, 4, process);
  EXPECT_EQ(show(late), "error deadline exceeded") << describe(late);
  EXPECT_EQ(floor.entered(), 0u) << "the deadline had passed beforehand";
}

TEST(Lifecycle, TheCallersCancellationReachesTheJobsThatRun) {
  auto parent = with_cancel(forever);
  const auto jobs = make_jobs(6);
  Floor floor;
  const auto result =
      process_all(parent.context(), jobs, 2, [&](const Context& context, const Job&) {
        if (floor.meet(2) == 1) parent.cancel(Error{Errc::closed, "the shop closes"});
        return stop_when_told(context);
      });
  EXPECT_EQ(show(result), "error closed")
      << "the caller's context has ended, with a reason: " << describe(result);
  EXPECT_EQ(floor.entered(), 2u) << "jobs were started after the caller's context had ended";
}

TEST(Lifecycle, AfterTheCallersCancellationNoJobStarts) {
  auto parent = with_cancel(forever);
  const auto jobs = make_jobs(6);
  Floor floor;
  const auto result =
      process_all(parent.context(), jobs, 2, [&](const Context& context, const Job&) {
        const auto visit = floor.meet(2);
        if (visit == 0) wait_until_told(context);
        if (visit == 1) parent.cancel(Error{Errc::closed, "the shop closes"});
        return Result<void>();  // these two have succeeded, late as it is
      });
  EXPECT_EQ(floor.entered(), 2u) << "jobs were started after the caller's context had ended";
  EXPECT_EQ(show(result), "error closed")
      << "four jobs were left out because the caller's context had ended; that must not look like "
         "success: "
      << describe(result);
}

TEST(Lifecycle, TheDeadlineReachesTheJobsThatRun) {
  const auto jobs = make_jobs(2);
  const auto parent = with_timeout(forever, 5ms);
  const auto result =
      process_all(parent.context(), jobs, 2,
                  [](const Context& context, const Job&) { return stop_when_told(context); });
  EXPECT_EQ(show(result), "error deadline exceeded") << describe(result);
}

TEST(Lifecycle, ADeadlineLeavesOutTheRest) {
  const auto jobs = make_jobs(10);
  Floor floor;
  const auto parent = with_timeout(forever, 5ms);
  const auto result =
      process_all(parent.context(), jobs, 2, [&](const Context& context, const Job&) {
        floor.enter();
        wait_until_told(context);
        return Result<void>();
      });
  EXPECT_EQ(show(result), "error deadline exceeded")
      << "eight jobs or more were left out: " << describe(result);
  EXPECT_LE(floor.entered(), 2u) << "jobs were started after the deadline";
}

TEST(Lifecycle, WhenEveryJobHasSucceededACancellationChangesNothing) {
  for (const std::size_t limit : {1u, 3u}) {
    auto parent = with_cancel(forever);
    const auto jobs = make_jobs(3);
    Floor floor;
    const auto result = process_all(parent.context(), jobs, limit, [&](const Context&, const Job&) {
      if (limit == 1) {
        if (floor.enter() == 2) parent.cancel();  // the last one is running already
      } else if (floor.meet(3) == 0) {
        parent.cancel();  // all three are
      }
      return Result<void>();
    });
    ASSERT_TRUE(result) << "no job was left out, and each of them succeeded (limit " << limit
                        << "): " << describe(result);
    EXPECT_EQ(result->completed, 3u);
  }
}

// What it costs, and what is left -----------------------------------------------------------------

TEST(Lifecycle, AThreadServesManyJobs) {
  const auto jobs = make_jobs(60);
  Floor floor;
  const auto result = process_all(forever, jobs, 3, [&](const Context&, const Job&) {
    floor.meet(3);
    floor.leave();
    return Result<void>();
  });
  EXPECT_TRUE(result) << describe(result);
  EXPECT_LE(floor.threads(), 3u)
      << "60 jobs, limit 3: three threads are enough for all of them, one after the other";
}

// How many threads a call adds while four jobs are running.
inline std::size_t threads_added(std::size_t limit, std::size_t count,
                                 const Context& context = forever) {
  const auto jobs = make_jobs(count);
  Census census;
  Floor floor;
  workbook::Gate counted;
  const auto result = process_all(context, jobs, limit, [&](const Context&, const Job&) {
    const auto visit = floor.meet(4);
    if (visit == 3) {
      // Whoever has more threads to start has time to do so.
      for (const auto end = Clock::now() + 50ms; Clock::now() < end; std::this_thread::yield()) {
        census.look();
      }
      counted.open();
    } else {
      EXPECT_TRUE(counted.wait_for());
    }
    return Result<void>();
  });
  EXPECT_TRUE(result) << describe(result);
  return census.most_added();
}

TEST(Lifecycle, NoMoreThreadsThanTheLimit) {
  EXPECT_LE(threads_added(4, 30), 4u) << "30 jobs, limit 4; who waits for a place needs no thread";
}

TEST(Lifecycle, NoMoreThreadsThanJobs) {
  EXPECT_LE(threads_added(30, 4), 4u) << "4 jobs, limit 30; what shall the other threads do?";
}

// One call in each test: threads that are on their way out would be counted as there before.
TEST(Lifecycle, NoThreadWatchesForACancellation) {
  const auto cancellable = with_cancel(forever);
  EXPECT_LE(threads_added(4, 30, cancellable.context()), 4u)
      << "30 jobs, limit 4, and a context that may be cancelled; who only watches needs no thread";
}

TEST(Lifecycle, NoThreadWatchesForADeadline) {
  const auto hour = with_timeout(forever, 1h);  // its timer runs before anybody counts
  EXPECT_LE(threads_added(4, 30, hour.context()), 4u)
      << "30 jobs, limit 4, and a context with a deadline: the runtime watches it already";
}

TEST(Lifecycle, AnyLimitWillDo) {
  constexpr std::size_t beyond_32_bits = std::size_t{1} << 32;
  for (const std::size_t limit :
       {std::numeric_limits<std::size_t>::max(), beyond_32_bits, beyond_32_bits + 1}) {
    const auto jobs = make_jobs(3);
    Floor floor;
    const auto result = process_all(forever, jobs, limit, [&](const Context&, const Job&) {
      floor.meet(3);
      return Result<void>();
    });
    ASSERT_TRUE(result) << "\"as many as there are\" is a limit, too: " << describe(result);
    EXPECT_EQ(result->completed, 3u) << "limit " << limit;
    EXPECT_EQ(result->peak, 3u) << "limit " << limit;
  }
}

TEST(Lifecycle, AHundredThousandJobsInARow) {
  const auto jobs = make_jobs(workbook::rounds(100'000));
  std::size_t runs = 0;
  const auto result = process_all(forever, jobs, 1, [&](const Context&, const Job&) {
    ++runs;
    return Result<void>();
  });
  ASSERT_TRUE(result) << describe(result);
  EXPECT_EQ(runs, jobs.size());
}

TEST(Lifecycle, AJobThatIgnoresTheCancellationIsWaitedFor) {
  const auto jobs = make_jobs(2);
  Floor floor;
  bool finished = false;  // plain on purpose: process_all must have waited for the writer
  const auto result =
      process_all(forever, jobs, 2, [&](const Context& context, const Job&) -> Result<void> {
        if (floor.meet(2) == 0) return fail_with(down);
        wait_until_told(context);
        for (int i = 0; i < 1000; ++i) std::this_thread::yield();  // it takes its time
        finished = true;
        return {};
      });
  EXPECT_FALSE(result) << describe(result);
  EXPECT_TRUE(finished) << "process_all returned while a job was still running";
}

TEST(Lifecycle, WhatItWasGivenMayBeDestroyedWhenItReturns) {
  const int before = workbook::Tracked::live();
  for (std::size_t i = 0; i < workbook::rounds(100); ++i) {
    auto jobs = std::make_unique<std::vector<Job>>(make_jobs(4));
    auto process =
        std::make_unique<Process>([failed = i % 2 == 0, kept = workbook::Tracked()](
                                      const Context& context, const Job& job) -> Result<void> {
          if (failed && number_of(job) == 3) return fail_with(down);
          if (failed) wait_until_told(context);
          EXPECT_EQ(job.id.size(), 1u);  // reads the job once more at the very end
          return {};
        });
    const auto result = process_all(forever, *jobs, 4, *process);
    process.reset();
    jobs.reset();
    ASSERT_EQ(workbook::Tracked::live(), before)
        << "process_all has returned, and a copy of process is still alive: on whose thread?";
    EXPECT_EQ(result.has_value(), i % 2 != 0) << describe(result);
  }
}

// What a job throws: unless the call has returned meanwhile, its destructor takes its time.
struct SlowToGo {
  explicit SlowToGo(std::shared_ptr<workbook::Gate> gate) : returned(std::move(gate)) {}
  SlowToGo(const SlowToGo&) = delete;
  SlowToGo& operator=(const SlowToGo&) = delete;
  ~SlowToGo() { static_cast<void>(returned->wait_for(100ms)); }

  workbook::Tracked alive;
  std::shared_ptr<workbook::Gate> returned;
};

TEST(Lifecycle, WhatAJobHasThrownIsDestroyedWhenItReturns) {
  const int before = workbook::Tracked::live();
  const auto caller = std::this_thread::get_id();
  const auto returned = std::make_shared<workbook::Gate>();
  const auto jobs = make_jobs(2);
  Floor floor;
  const auto result =
      process_all(forever, jobs, 2, [&](const Context& context, const Job&) -> Result<void> {
        floor.meet(2);
        if (std::this_thread::get_id() != caller) throw std::make_shared<SlowToGo>(returned);
        wait_until_told(context);  // its own thread can't be back too early
        return {};
      });
  EXPECT_EQ(workbook::Tracked::live(), before)
      << "process_all has returned, and the destructor of what a job has thrown is still running: "
         "it goes at the end of the catch block, so the worker was at work in there";
  returned->open();
  EXPECT_EQ(show(result), "error exception") << describe(result);
  EXPECT_TRUE(workbook::eventually([&] { return workbook::Tracked::live() == before; }));
}

TEST(Lifecycle, ItsThreadsAreGoneWhenItHasReturned) {
  const auto before = workbook::live_threads();
  const auto jobs = make_jobs(12);
  Floor floor;
  const auto result =
      process_all(forever, jobs, 4, [&](const Context& context, const Job&) -> Result<void> {
        const auto visit = floor.meet(4);
        if (visit == 0) return fail_with(down);
        if (visit < 4) wait_until_told(context);
        return {};
      });
  EXPECT_FALSE(result) << describe(result);
  EXPECT_TRUE(workbook::eventually([&] { return workbook::live_threads() <= before; }, 10s))
      << "process_all has returned, and some of its threads are still there";
}

// Calls within calls ------------------------------------------------------------------------------

TEST(Lifecycle, AsManyJobsAsTheLimitAllowsAlsoWhenThatIsHundreds) {
  const auto limit = workbook::crowd(300);
  const auto jobs = make_jobs(limit);
  Floor floor;
  const auto result = process_all(forever, jobs, limit, [&](const Context&, const Job&) {
    floor.meet(limit);
    return Result<void>();
  });
  ASSERT_TRUE(result) << describe(result);
  EXPECT_EQ(result->peak, limit) << "all of them met";
}

TEST(Lifecycle, JobsWithinJobsMeetAsWell) {
  constexpr std::size_t outer = 40;
  const auto jobs = make_jobs(outer);
  Floor floor;
  const auto result =
      process_all(forever, jobs, outer, [&](const Context& context, const Job&) -> Result<void> {
        const auto inner =
            process_all(context, std::span(jobs).first(2), 2, [&](const Context&, const Job&) {
              floor.meet(2 * outer);
              return Result<void>();
            });
        EXPECT_TRUE(inner) << describe(inner);
        return {};
      });
  EXPECT_TRUE(result) << "each call has threads of its own, however many calls are going on: "
                      << describe(result);
}

TEST(Lifecycle, AJobMayCallProcessAll) {
  const auto jobs = make_jobs(4);
  std::atomic<int> runs{0};
  const auto result =
      process_all(forever, jobs, 2, [&](const Context& context, const Job&) -> Result<void> {
        const auto inner = process_all(context, jobs, 2, [&](const Context&, const Job&) {
          ++runs;
          return Result<void>();
        });
        EXPECT_TRUE(inner) << describe(inner);
        EXPECT_EQ(inner ? inner->completed : 0, 4u);
        return {};
      });
  ASSERT_TRUE(result) << describe(result);
  EXPECT_EQ(result->completed, 4u) << "the inner calls count for themselves";
  EXPECT_EQ(runs, 16);
}

TEST(Lifecycle, ACancellationReachesTheJobsOfJobs) {
  const auto jobs = make_jobs(2);
  Floor floor;
  const auto result =
      process_all(forever, jobs, 2, [&](const Context& context, const Job& job) -> Result<void> {
        if (number_of(job) == 0) {
          floor.meet(3);
          return fail_with(down);
        }
        const auto inner = process_all(context, jobs, 2, [&](const Context& c, const Job&) {
          floor.meet(3);
          return stop_when_told(c);
        });
        EXPECT_FALSE(inner) << "the inner jobs were told to stop: " << describe(inner);
        return inner ? Result<void>() : Result<void>(fail_with(inner.error()));
      });
  ASSERT_FALSE(result) << describe(result);
  EXPECT_EQ(result.error(), down) << describe(result);
}

TEST(Lifecycle, CallsDoNotDisturbEachOther) {
  const auto jobs = make_jobs(3);
  const auto result =
      process_all(forever, jobs, 2, [&](const Context& context, const Job&) -> Result<void> {
        const auto other =
            process_all(forever, jobs, 2,
                        [](const Context&, const Job&) -> Result<void> { return fail_with(down); });
        EXPECT_FALSE(other) << "every job of that call failed: " << describe(other);
        EXPECT_FALSE(context.done()) << "another call has failed, not this one";
        return {};
      });
  ASSERT_TRUE(result) << describe(result);
  EXPECT_EQ(result->completed, 3u);
}

}  // namespace process_all_suite
