// Task 11: what must work first; errors, cancellation and lifetimes in suite_lifecycle.hpp, crowds
// in suite_stress.hpp, races for the explorer in suite_explored.hpp.
#include <concepts>

#include "suite_explored.hpp"
#include "suite_support.hpp"

#ifndef WORKBOOK_RUNS_EXPLORED_ONLY
#include "suite_lifecycle.hpp"
#include "suite_stress.hpp"

namespace process_all_suite {

// The types of the contract: a value of any other could compare equal to whatever is expected.
static_assert(
    requires(const Context& context, std::span<const Job> jobs, const Process& process) {
      { futures::process_all(context, jobs, 1, process) } -> std::same_as<Result<FanOut>>;
    }, "process_all() returns a Result<FanOut>");
static_assert(
    requires(Job& job) {
      { job.id } -> std::same_as<std::string&>;
    }, "Job was given");
static_assert(
    requires(FanOut& done) {
      { done.completed } -> std::same_as<std::size_t&>;
    }, "FanOut was given");
static_assert(
    requires(FanOut& done) {
      { done.peak } -> std::same_as<std::size_t&>;
    }, "FanOut was given");

TEST(Basic, EveryJobIsProcessedOnce) {
  const auto jobs = make_jobs(20);
  std::array<std::atomic<int>, 20> runs{};
  const auto result = process_all(forever, jobs, 4, [&](const Context&, const Job& job) {
    ++runs.at(number_of(job));
    return Result<void>();
  });
  ASSERT_TRUE(result) << "every job succeeded: " << describe(result);
  EXPECT_EQ(result->completed, 20u);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    EXPECT_EQ(runs.at(i), 1) << "job " << i << " ran " << runs.at(i) << " times";
  }
}

TEST(Basic, AsManyJobsAsTheLimitAllowsRunAtTheSameTime) {
  const auto jobs = make_jobs(3);
  Floor floor;
  const auto result = process_all(forever, jobs, 3, [&](const Context&, const Job&) {
    floor.meet(3);
    floor.leave();
    return Result<void>();
  });
  ASSERT_TRUE(result) << describe(result);
  EXPECT_EQ(result->peak, 3u) << "all three jobs were running when the third one came";
}

TEST(Basic, NeverMoreJobsAtOnceThanTheLimit) {
  const auto jobs = make_jobs(6);
  Floor floor;
  workbook::Gate third_is_inside;
  const auto result = process_all(forever, jobs, 2, [&](const Context&, const Job&) {
    if (floor.enter() < 2) {
      // A third one that is coming has time to come.
      EXPECT_FALSE(third_is_inside.wait_for(50ms)) << "a third job came while two were running";
    } else if (floor.most() > 2) {
      third_is_inside.open();
    }
    floor.leave();
    return Result<void>();
  });
  ASSERT_TRUE(result) << describe(result);
  EXPECT_LE(floor.most(), 2u) << "the limit was 2";
  EXPECT_LE(result->peak, 2u) << "the limit was 2";
}

TEST(Basic, ALimitOfOneMakesAQueue) {
  const auto jobs = make_jobs(10);
  std::atomic<int> inside{0};  // a job may begin after another without having heard of it
  const auto result = process_all(forever, jobs, 1, [&](const Context&, const Job&) {
    EXPECT_EQ(++inside, 1) << "another job was running";
    std::this_thread::yield();
    --inside;
    return Result<void>();
  });
  ASSERT_TRUE(result) << describe(result);
  EXPECT_EQ(result->completed, 10u);
  EXPECT_EQ(result->peak, 1u);
}

TEST(Basic, ALimitBeyondTheNumberOfJobs) {
  const auto jobs = make_jobs(3);
  Floor floor;
  const auto result = process_all(forever, jobs, 10, [&](const Context&, const Job&) {
    floor.meet(3);
    floor.leave();
    return Result<void>();
  });
  ASSERT_TRUE(result) << describe(result);
  EXPECT_EQ(result->completed, 3u);
  EXPECT_EQ(result->peak, 3u) << "there were three jobs, and they met";
}

TEST(Basic, NoJobsAreNoReasonToFail) {
  const auto result = process_all(forever, {}, 4, [](const Context&, const Job&) -> Result<void> {
    ADD_FAILURE() << "process was called, but there are no jobs";
    return {};
  });
  ASSERT_TRUE(result) << describe(result);
  EXPECT_EQ(result->completed, 0u);
  EXPECT_EQ(result->peak, 0u);
}

TEST(Basic, ALimitOfZeroIsAnInvalidArgument) {
  const auto jobs = make_jobs(3);
  std::atomic<int> runs{0};
  const auto result = process_all(forever, jobs, 0, [&](const Context&, const Job&) {
    ++runs;
    return Result<void>();
  });
  EXPECT_EQ(show(result), "error invalid argument") << "none may run, so the call makes no sense";
  EXPECT_EQ(runs, 0);
}

TEST(Basic, TheErrorOfAJobIsReturned) {
  const auto jobs = make_jobs(5);
  const auto result =
      process_all(forever, jobs, 2, [](const Context&, const Job& job) -> Result<void> {
        if (number_of(job) == 2) return fail_with(down);
        return {};
      });
  ASSERT_FALSE(result) << "job 2 failed: " << describe(result);
  EXPECT_EQ(result.error(), down) << describe(result);
}

TEST(Basic, WhateverTheErrorItIsReturnedAndStopsTheOthers) {
  const auto jobs = make_jobs(2);
  for (const Error& error : workbook::errors_of_all_kinds()) {
    int runs = 0;
    const auto result =
        process_all(forever, jobs, 1, [&](const Context&, const Job&) -> Result<void> {
          ++runs;
          return fail_with(error);
        });
    ASSERT_FALSE(result) << testing::PrintToString(error);
    EXPECT_EQ(result.error(), error);
    EXPECT_EQ(runs, 1) << "the first job failed with " << testing::PrintToString(error);
  }
}

TEST(Basic, AnExceptionIsAnError) {
  const auto jobs = make_jobs(3);
  const auto result = process_all(forever, jobs, 2, [](const Context&, const Job&) -> Result<void> {
    throw std::runtime_error("out of cheese");
  });
  ASSERT_FALSE(result) << "every job threw: " << describe(result);
  EXPECT_EQ(show(result), "error exception");
  EXPECT_NE(result.error().message.find("out of cheese"), std::string::npos)
      << "what() of the exception should be in the message: " << describe(result);
}

TEST(Basic, JobsSeeALivingContext) {
  const auto jobs = make_jobs(4);
  const auto result = process_all(forever, jobs, 2, [](const Context& context, const Job&) {
    EXPECT_FALSE(context.done()) << "nothing has failed, and nobody has cancelled anything";
    return Result<void>();
  });
  EXPECT_TRUE(result) << describe(result);
}

}  // namespace process_all_suite

#endif
