// What a fan-out has to survive: jobs that fail beside others that answer the cancellation with
// errors of their own, callers that leave, and a close look at what it counts.
#include <array>
#include <atomic>
#include <cstddef>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "process_all.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "testing/kit.hpp"

namespace {

using futures::Context;
using futures::Errc;
using futures::Error;
using futures::Job;
using futures::process_all;
using futures::Result;
using workbook::forever;

Result<void> fail(const char* why) { return std::unexpected(Error{Errc::unavailable, why}); }

TEST(MyTest, AfterTheCauseNobodyStartsAndNobodyIsLeft) {
  workbook::stress(1, workbook::rounds(40), [](std::size_t, std::size_t) {
    auto jobs = std::make_unique<std::vector<Job>>(30);
    std::latch together(3);
    std::atomic<std::size_t> started{0};
    std::array<bool, 3> back{};  // plain: to read them while a job may still write is a race
    const auto result =
        process_all(forever, *jobs, 3, [&](const Context& context, const Job&) -> Result<void> {
          const auto visit = started++;
          if (visit >= 3) return {};
          together.arrive_and_wait();
          if (visit == 1) {
            back.at(visit) = true;
            return fail("cause");
          }
          EXPECT_FALSE(context.sleep_for(workbook::patience)) << "nobody told this job to stop";
          std::this_thread::yield();
          back.at(visit) = true;
          return fail("consequence");
        });
    jobs.reset();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().message, "cause");
    EXPECT_EQ(started, 3u) << "a job was started after the first error";
    for (const bool flag : back) EXPECT_TRUE(flag);
  });
}

TEST(MyTest, WhateverIsThrownIsAnError) {
  workbook::stress(1, workbook::rounds(20), [](std::size_t, std::size_t) {
    const std::vector<Job> jobs(10);
    std::atomic<int> started{0};
    const auto result =
        process_all(forever, jobs, 1, [&](const Context&, const Job&) -> Result<void> {
          ++started;
          throw 42;
        });
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::exception);
    EXPECT_EQ(started, 1);
  });
}

TEST(MyTest, ALateCancellationUndoesNothingAndAnEarlyOneIsNoSuccess) {
  workbook::stress(1, workbook::rounds(20), [](std::size_t, std::size_t round) {
    const std::vector<Job> jobs(5);
    auto parent = futures::with_cancel(forever);
    const std::size_t cancelled_by = round % 5;
    std::size_t runs = 0;
    const auto result = process_all(parent.context(), jobs, 1, [&](const Context&, const Job&) {
      if (runs++ == cancelled_by) parent.cancel();
      return Result<void>();
    });
    EXPECT_EQ(result.has_value(), cancelled_by == 4);
    EXPECT_EQ(runs, cancelled_by + 1) << "a job was started under a dead context";
  });
}

TEST(MyTest, ThePeakIsThatOfTheJobs) {
  workbook::stress(1, workbook::rounds(40), [](std::size_t, std::size_t) {
    const std::vector<Job> jobs(6);
    std::latch together(6);
    const auto result = process_all(forever, jobs, 6, [&](const Context&, const Job&) {
      together.arrive_and_wait();
      return Result<void>();
    });
    ASSERT_TRUE(result);
    EXPECT_EQ(result->peak, 6u);
    EXPECT_EQ(result->completed, 6u);
  });
}

TEST(MyTest, EveryJobRunsOnceNeverTooManyAtATimeAndOnFewThreads) {
  static thread_local bool counted = false;
  workbook::stress(1, workbook::rounds(10), [](std::size_t, std::size_t) {
    std::vector<Job> jobs(200);
    for (std::size_t i = 0; i < jobs.size(); ++i) jobs.at(i).id = std::to_string(i);
    std::vector<int> runs(jobs.size());
    std::atomic<int> inside{0};
    std::atomic<int> threads{0};
    const auto result = process_all(forever, jobs, 4, [&](const Context&, const Job& job) {
      EXPECT_LE(++inside, 4);
      if (!std::exchange(counted, true)) ++threads;
      ++runs.at(std::stoul(job.id));
      --inside;
      return Result<void>();
    });
    counted = false;
    EXPECT_TRUE(result);
    EXPECT_LE(threads, 5) << "four, and the caller's";
    for (const int count : runs) EXPECT_EQ(count, 1);
  });
}

}  // namespace
