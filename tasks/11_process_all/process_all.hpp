// Task 11: many jobs, a few at a time; the first error stops the rest.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

// Given: what is to be done, and what became of it. -----------------------------------------------

struct Job {
  std::string id;
  friend bool operator==(const Job&, const Job&) = default;
};

struct FanOut {
  std::size_t completed = 0;  // jobs that succeeded
  std::size_t peak = 0;       // the most jobs that ran at the same time
  friend bool operator==(const FanOut&, const FanOut&) = default;
};

// To do. ------------------------------------------------------------------------------------------

// Calls process once for each job, up to `limit` jobs at the same time and never more, in no
// particular order. Starts at most min(limit, jobs.size()) threads from beginning to end, so a
// thread serves many jobs. process may be called from any of them, and from the caller's.
//
// Each job gets a context that ends with `context`, and at the first error. From then on no job is
// started any more; jobs that are running decide for themselves whether they stop early.
//
// Returns when no job is running any more and no thread of the call has anything left to do:
// `jobs`, `process` and all that they refer to may be destroyed at once. The result is
// - success, when every job succeeded, even if `context` has ended in the meantime;
// - else the first error in time. A job's error is what process returned, or Errc::exception when
//   it threw, whatever it threw. What other jobs say because they were told to stop comes later,
//   and never replaces the cause;
// - the error of `context`, when its end is why jobs were left out. When it has ended beforehand,
//   nothing runs;
// - Errc::invalid_argument, and nothing runs, when limit is 0.
//
// No jobs are no reason to fail: {0, 0}. Any number of calls may be going on at once, also from
// inside process.
inline Result<FanOut> process_all(
    [[maybe_unused]] const Context& context, [[maybe_unused]] std::span<const Job> jobs,
    [[maybe_unused]] std::size_t limit,
    [[maybe_unused]] const std::function<Result<void>(const Context&, const Job&)>& process) {
  not_implemented();
}

}  // namespace futures
