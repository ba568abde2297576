// Helpers of the explorer's own tests: a body to explore, and what is expected of it.
#pragma once

#include <functional>
#include <gtest/gtest.h>

#include "runtime/schedule.hpp"
#include "search/exploration.hpp"
#include "story/story.hpp"

namespace explorer {

inline RunOnce run_of(std::function<void()> body) {
  return [body = std::move(body)](std::uint64_t seed) {
    begin_schedule(seed);
    body();
    end_schedule();
  };
}

inline Outcome explored(std::function<void()> body, double seconds = 0.3) {
  return explore("Body", Limits{.seconds = seconds}, run_of(std::move(body)));
}

inline testing::AssertionResult passes(std::function<void()> body, double seconds = 0.3) {
  Outcome outcome = explored(std::move(body), seconds);
  if (outcome.status == Status::passed) return testing::AssertionSuccess() << outcome.verdict;
  return testing::AssertionFailure() << (outcome.status == Status::cannot_explore
                                             ? "cannot be explored: " + outcome.problem
                                             : tell_story(shared_memory(), "Body", 100).lanes);
}

inline testing::AssertionResult fails(FailureKind kind, std::function<void()> body,
                                      double seconds = 1) {
  Outcome outcome = explored(std::move(body), seconds);
  if (outcome.kind == kind && outcome.reproduced) return testing::AssertionSuccess();
  if (outcome.kind == kind)
    return testing::AssertionFailure()
           << "replaying the schedule failed differently: " << name_of(shared_memory().failure.kind)
           << " " << shared_memory().failure.message;
  return testing::AssertionFailure()
         << "found: " << name_of(outcome.kind) << " " << shared_memory().failure.message << "\n"
         << outcome.verdict;
}

}  // namespace explorer

// An assertion inside a body.
#define CHECK(condition) \
  ((condition)           \
       ? void()          \
       : (::explorer::report_check_failed(__FILE__, __LINE__, #condition), ::std::abort()))
