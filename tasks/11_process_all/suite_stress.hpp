// Task 11 under load: many jobs, many calls, many failures.
#pragma once

#include "suite_support.hpp"

namespace process_all_suite {

TEST(Stress, TenThousandJobsSixteenAtATime) {
  workbook::stress(1, workbook::rounds(4), [](std::size_t, std::size_t) {
    const auto jobs = make_jobs(10'000);
    std::vector<int> runs(jobs.size());  // plain: each is written by one job, and read afterwards
    Floor floor;
    const auto result = process_all(forever, jobs, 16, [&](const Context&, const Job& job) {
      floor.enter();
      ++runs.at(number_of(job));
      floor.leave();
      return Result<void>();
    });
    ASSERT_TRUE(result) << describe(result);
    EXPECT_EQ(result->completed, jobs.size());
    EXPECT_LE(floor.most(), 16u) << "the limit was 16";
    EXPECT_LE(result->peak, 16u) << "the limit was 16";
    EXPECT_GE(result->peak, floor.most()) << "the test has seen more at once than were reported";
    EXPECT_LE(floor.threads(), 16u);
    EXPECT_EQ(std::ranges::count(runs, 1), 10'000) << "some jobs ran twice, or not at all";
  });
}

TEST(Stress, ThePeakIsNotMissed) {
  const auto limit = workbook::crowd(8);
  workbook::stress(1, workbook::rounds(200), [limit](std::size_t, std::size_t) {
    const auto jobs = make_jobs(limit);
    Floor floor;
    const auto result = process_all(forever, jobs, limit, [&](const Context&, const Job&) {
      floor.meet(limit);
      return Result<void>();
    });
    ASSERT_TRUE(result) << describe(result);
    EXPECT_EQ(result->peak, limit) << "all of them met, so that many ran at the same time";
  });
}

TEST(Stress, WhatJobsSayWhenTheyStopNeverHidesTheCause) {
  const auto jobs = make_jobs(30);
  workbook::stress(1, workbook::rounds(200), [&](std::size_t, std::size_t) {
    Floor floor;
    const auto result =
        process_all(forever, jobs, 6, [&](const Context& context, const Job&) -> Result<void> {
          if (floor.meet(6) == 3) return fail_with(down);
          return stop_when_told(context);
        });
    ASSERT_FALSE(result) << describe(result);
    EXPECT_EQ(result.error(), down)
        << "the others stopped because of the error, so it was first: " << describe(result);
    EXPECT_EQ(floor.entered(), 6u) << "jobs were started after the first error";
  });
}

TEST(Stress, OfManyErrorsExactlyOneStands) {
  workbook::stress(1, workbook::rounds(100), [](std::size_t, std::size_t) {
    const auto jobs = make_jobs(8);
    Floor floor;
    const auto result =
        process_all(forever, jobs, 8, [&](const Context&, const Job& job) -> Result<void> {
          floor.meet(8);
          return fail_with(Error{Errc::unavailable, "what went wrong with number " + job.id});
        });
    ASSERT_FALSE(result) << describe(result);
    EXPECT_TRUE(result.error().message.starts_with("what went wrong with number "))
        << describe(result);
  });
}

TEST(Stress, TheLastJobMayFail) {
  workbook::stress(1, workbook::rounds(200), [](std::size_t, std::size_t) {
    const auto jobs = make_jobs(8);
    Floor floor;
    const auto result =
        process_all(forever, jobs, 4, [&](const Context&, const Job&) -> Result<void> {
          if (floor.enter() == 7) return fail_with(down);
          return {};
        });
    ASSERT_FALSE(result) << "the last job of eight failed: " << describe(result);
    EXPECT_EQ(result.error(), down);
  });
}

TEST(Stress, ManyCallsAtOnce) {
  const auto jobs = make_jobs(20);
  workbook::stress(4, workbook::rounds(100), [&](std::size_t thread, std::size_t) {
    const bool fails = thread % 2 == 0;
    std::vector<int> runs(jobs.size());
    const auto result =
        process_all(forever, jobs, 3, [&](const Context&, const Job& job) -> Result<void> {
          ++runs.at(number_of(job));
          if (fails && number_of(job) == 10) return fail_with(down);
          return {};
        });
    EXPECT_EQ(result.has_value(), !fails) << describe(result);
    if (fails) return;
    EXPECT_EQ(std::ranges::count(runs, 1), 20) << "every job of this call ran once";
  });
}

TEST(Stress, ACancellationAtAnyMoment) {
  struct Race {
    CancelSource source = with_cancel(forever);
    std::vector<Job> jobs = make_jobs(10);
    std::vector<int> runs = std::vector<int>(10);
  };
  workbook::stress_on(
      2, workbook::rounds(300), [] { return std::make_unique<Race>(); },
      [](std::unique_ptr<Race>& race, std::size_t thread) {
        if (thread == 0) {
          race->source.cancel();
          return;
        }
        const auto result = process_all(race->source.context(), race->jobs, 3,
                                        [&](const Context&, const Job& job) -> Result<void> {
                                          ++race->runs.at(number_of(job));
                                          return {};
                                        });
        const auto ran = std::ranges::count(race->runs, 1);
        if (result) {
          EXPECT_EQ(ran, 10) << "jobs were left out, and the call succeeded: " << describe(result);
          EXPECT_EQ(result->completed, 10u);
        } else {
          EXPECT_EQ(show(result), "error cancelled") << describe(result);
          EXPECT_LT(ran, 10) << "every job had succeeded: a cancellation undoes nothing";
        }
      },
      [](std::unique_ptr<Race>&) {});
}

}  // namespace process_all_suite
