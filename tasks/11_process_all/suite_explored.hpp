// Task 11: small races, for the schedule explorer to try in every order.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <latch>
#include <optional>
#include <stop_token>
#include <thread>

#include "suite_support.hpp"

namespace process_all_suite {

TEST(Explored, NeverMoreThanTheLimit) {
  const auto jobs = make_jobs(3);
  std::atomic<int> inside{0};
  std::array<int, 3> runs{};  // plain: each is written by one job, and read afterwards
  const auto result = process_all(forever, jobs, 2, [&](const Context&, const Job& job) {
    EXPECT_LE(++inside, 2) << "the limit was 2";
    ++runs.at(number_of(job));
    --inside;
    return Result<void>();
  });
  ASSERT_TRUE(result) << describe(result);
  EXPECT_EQ(result->completed, 3u);
  EXPECT_EQ(runs, (std::array{1, 1, 1})) << "a job ran twice, or not at all";
}

TEST(Explored, WithALimitOfOneJobsNeverMeet) {
  const auto jobs = make_jobs(2);
  std::atomic<int> inside{0};  // a job may begin after another without having heard of it
  std::atomic<int> runs{0};
  const auto result = process_all(forever, jobs, 1, [&](const Context&, const Job&) {
    EXPECT_EQ(++inside, 1) << "another job was running";
    ++runs;
    --inside;
    return Result<void>();
  });
  ASSERT_TRUE(result) << describe(result);
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(result->peak, 1u);
}

TEST(Explored, JobsThatMeetMakeAPeak) {
  const auto jobs = make_jobs(2);
  std::latch both(2);
  const auto result = process_all(forever, jobs, 2, [&](const Context&, const Job&) {
    both.arrive_and_wait();
    return Result<void>();
  });
  ASSERT_TRUE(result) << describe(result);
  EXPECT_EQ(result->peak, 2u) << "each of the two jobs waited for the other one";
}

TEST(Explored, JobsOfOneThreadMakeNoPeak) {
  const auto jobs = make_jobs(2);
  std::array<std::thread::id, 2> thread;
  const auto result = process_all(forever, jobs, 2, [&](const Context&, const Job& job) {
    thread.at(number_of(job)) = std::this_thread::get_id();
    return Result<void>();
  });
  ASSERT_TRUE(result) << describe(result);
  if (thread[0] == thread[1]) {
    EXPECT_EQ(result->peak, 1u) << "one thread ran both jobs: they can't have run at the same "
                                   "time; the peak is what happened, not what could have happened";
  }
  EXPECT_LE(result->peak, 2u);
}

TEST(Explored, TheCauseIsRecordedBeforeASiblingCanReport) {
  const auto jobs = make_jobs(2);
  const auto result =
      process_all(forever, jobs, 2, [](const Context& context, const Job& job) -> Result<void> {
        if (number_of(job) == 1) return fail_with(down);
        return stop_when_told(context);
      });
  ASSERT_FALSE(result) << describe(result);
  EXPECT_EQ(result.error(), down) << "what job 0 said was a consequence: " << describe(result);
}

TEST(Explored, AfterTheFirstErrorNoJobStarts) {
  const auto jobs = make_jobs(3);
  std::atomic<int> started{0};
  const auto result =
      process_all(forever, jobs, 2, [&](const Context& context, const Job&) -> Result<void> {
        const int visit = ++started;
        if (visit == 2) return fail_with(down);
        if (visit == 1) wait_until_told(context);
        return {};
      });
  ASSERT_FALSE(result) << describe(result);
  EXPECT_EQ(result.error(), down) << describe(result);
  EXPECT_EQ(started, 2) << "two jobs were running when one of them failed, and the other one "
                           "stayed until it was told: a third one has no business here";
}

// Those that are told stand in some order, in which one of the others is the next.
TEST(Explored, WhoEndsWhileOthersAreToldTakesNobodyAlong) {
  const auto jobs = make_jobs(4);
  for (const std::size_t step : {1u, 2u}) {
    std::array<std::optional<CancelSource>, 3> waiting;
    workbook::Gate all_wait;
    std::atomic<int> here{0};
    std::atomic<bool> first{true};
    const auto result =
        process_all(forever, jobs, 4, [&](const Context& context, const Job& job) -> Result<void> {
          const auto i = number_of(job);
          if (i == 3) {
            all_wait.wait();
            return fail_with(down);
          }
          const auto& mine = waiting.at(i).emplace(with_cancel(context));
          const std::stop_callback told(context.stop_token(), [&] {
            if (!first.exchange(false)) return;
            waiting.at((i + step) % 3)->cancel();
            std::this_thread::sleep_for(std::chrono::milliseconds(1));  // until that one has left
          });
          if (++here == 3) all_wait.open();
          EXPECT_FALSE(mine.context().sleep_for(workbook::patience))
              << "job 3 failed; while one of the others was being told, another one ended by "
                 "itself, and job "
              << i << " was never told";
          return {};
        });
    EXPECT_EQ(show(result), "error unavailable") << describe(result);
  }
}

TEST(Explored, AfterAnExceptionNoJobStarts) {
  const auto jobs = make_jobs(3);
  std::atomic<int> started{0};
  const auto result =
      process_all(forever, jobs, 2, [&](const Context& context, const Job&) -> Result<void> {
        const int visit = ++started;
        if (visit == 2) throw 42;
        if (visit == 1) wait_until_told(context);
        return {};
      });
  EXPECT_EQ(show(result), "error exception") << describe(result);
  EXPECT_EQ(started, 2) << "a job was started after another one had thrown";
}

TEST(Explored, OfTwoErrorsTheLaterOneIsDropped) {
  const auto jobs = make_jobs(2);
  std::atomic<bool> other_is_known{false};
  const auto result =
      process_all(forever, jobs, 2, [&](const Context& context, const Job& job) -> Result<void> {
        if (number_of(job) == 1) return fail_with(down);
        other_is_known = context.done();
        return fail_with(consequence);
      });
  ASSERT_FALSE(result) << describe(result);
  EXPECT_TRUE(result.error() == down || result.error() == consequence) << describe(result);
  if (other_is_known) {
    EXPECT_EQ(result.error(), down) << "job 0 failed when job 1's error had ended the context";
  }
}

TEST(Explored, TheLastJobMayFail) {
  const auto jobs = make_jobs(2);
  std::atomic<int> started{0};
  const auto result =
      process_all(forever, jobs, 2, [&](const Context&, const Job&) -> Result<void> {
        if (++started == 2) return fail_with(down);
        return {};
      });
  ASSERT_FALSE(result) << "the second of two jobs failed: " << describe(result);
  EXPECT_EQ(result.error(), down);
}

TEST(Explored, TheCallersCancellationIsNeverMissed) {
  const auto jobs = make_jobs(1);
  auto parent = with_cancel(forever);
  std::jthread canceller([&] { parent.cancel(); });
  const auto result =
      process_all(parent.context(), jobs, 2,
                  [](const Context& context, const Job&) { return stop_when_told(context); });
  EXPECT_EQ(show(result), "error cancelled") << describe(result);
}

TEST(Explored, ACallThatComesWithItsDeadlineIsToldWhy) {
  const auto jobs = make_jobs(1);
  const CancelSource source = with_timeout(forever, 10ms);
  // The context may not have been told yet; whoever looks at the clock knows before it does.
  std::this_thread::sleep_until(*source.context().deadline());
  const auto result = process_all(source.context(), jobs, 1,
                                  [](const Context&, const Job&) { return Result<void>(); });
  if (!result) EXPECT_EQ(show(result), "error deadline exceeded") << describe(result);
}

TEST(Explored, JobsLeftOutAreNoSuccess) {
  const auto jobs = make_jobs(2);
  auto parent = with_cancel(forever);
  std::jthread canceller([&] { parent.cancel(); });
  std::atomic<int> runs{0};
  const auto result = process_all(parent.context(), jobs, 1, [&](const Context&, const Job&) {
    ++runs;
    return Result<void>();
  });
  if (result) {
    EXPECT_EQ(result->completed, 2u) << describe(result);
    EXPECT_EQ(runs, 2) << "a job was left out, and the call succeeded: " << describe(result);
  } else {
    EXPECT_EQ(show(result), "error cancelled") << describe(result);
    EXPECT_LT(runs, 2) << "both jobs had succeeded: a cancellation undoes nothing";
  }
}

TEST(Explored, ACancellationAfterTheLastJobChangesNothing) {
  const auto jobs = make_jobs(1);
  auto parent = with_cancel(forever);
  std::jthread canceller;
  const auto result = process_all(parent.context(), jobs, 2, [&](const Context&, const Job&) {
    canceller = std::jthread([&] { parent.cancel(); });
    return Result<void>();
  });
  ASSERT_TRUE(result) << "the only job has succeeded; the context ended after it had begun: "
                      << describe(result);
  EXPECT_EQ(result->completed, 1u);
}

TEST(Explored, AnErrorAndACancellationAtOnce) {
  const auto jobs = make_jobs(1);
  auto parent = with_cancel(forever);
  std::jthread canceller([&] { parent.cancel(); });
  const auto result =
      process_all(parent.context(), jobs, 2,
                  [](const Context&, const Job&) -> Result<void> { return fail_with(down); });
  ASSERT_FALSE(result) << "the job failed, or was left out: " << describe(result);
  EXPECT_TRUE(result.error() == down || result.error().code == Errc::cancelled)
      << "either may be first, and nothing else can be: " << describe(result);
}

TEST(Explored, WhatItWasGivenMayBeDestroyedWhenItReturns) {
  const int before = workbook::Tracked::live();
  auto jobs = std::make_unique<std::vector<Job>>(make_jobs(2));
  auto seen = std::make_unique<std::array<bool, 2>>();
  auto process = std::make_unique<Process>(
      [&seen = *seen, kept = workbook::Tracked()](const Context&, const Job& job) {
        seen.at(number_of(job)) = true;
        return Result<void>();
      });
  EXPECT_TRUE(process_all(forever, *jobs, 2, *process));
  EXPECT_EQ(*seen, (std::array{true, true})) << "it returned before both jobs had";
  process.reset();
  EXPECT_EQ(workbook::Tracked::live(), before) << "somebody still has a copy of process";
  seen.reset();
  jobs.reset();
}

TEST(Explored, WhatAJobHasThrownIsDestroyedWhenItReturns) {
  const int before = workbook::Tracked::live();
  const auto jobs = make_jobs(2);
  const auto result = process_all(forever, jobs, 2, [](const Context&, const Job&) -> Result<void> {
    throw workbook::Tracked();
  });
  EXPECT_EQ(workbook::Tracked::live(), before)
      << "process_all has returned, and what a job has thrown is still alive: it goes at the end "
         "of the catch block, so the worker was at work in there";
  EXPECT_EQ(show(result), "error exception") << describe(result);
}

TEST(Explored, AFailedCallWaitsForTheOtherJob) {
  auto jobs = std::make_unique<std::vector<Job>>(make_jobs(2));
  std::atomic<int> started{0};
  bool finished = false;  // plain: written by a job, read when the call has returned
  const auto result =
      process_all(forever, *jobs, 2, [&](const Context& context, const Job&) -> Result<void> {
        if (++started == 2) return fail_with(down);
        wait_until_told(context);
        finished = true;
        return {};
      });
  jobs.reset();
  EXPECT_FALSE(result) << describe(result);
  EXPECT_TRUE(finished) << "process_all returned while a job was still running";
}

TEST(Explored, TwoCallsAtOnce) {
  const auto jobs = make_jobs(1);
  workbook::stress(2, 1, [&](std::size_t thread, std::size_t) {
    const bool fails = thread == 0;
    const auto result =
        process_all(forever, jobs, 1, [fails](const Context&, const Job&) -> Result<void> {
          if (fails) return fail_with(down);
          return {};
        });
    EXPECT_EQ(result.has_value(), !fails)
        << "one of two calls fails, the other one has nothing to do with it: " << describe(result);
  });
}

}  // namespace process_all_suite
