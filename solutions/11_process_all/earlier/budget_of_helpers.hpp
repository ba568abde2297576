// Wrong: all calls of the process share a budget of 64 helper threads and wait for it; bites when
// calls are nested: the outer ones hold the helpers that the inner ones wait for, and nobody ever
// goes on.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <semaphore>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

struct Job {
  std::string id;
  friend bool operator==(const Job&, const Job&) = default;
};

struct FanOut {
  std::size_t completed = 0;  // jobs that succeeded
  std::size_t peak = 0;       // the most jobs that ran at the same time
  friend bool operator==(const FanOut&, const FanOut&) = default;
};

namespace detail {

// However many calls are going on, no more helpers than this in all: the machine is shared.
inline std::counting_semaphore<64>& helper_budget() {
  static std::counting_semaphore<64> budget(64);
  return budget;
}

struct HelperPlace {
  HelperPlace() { helper_budget().acquire(); }
  HelperPlace(HelperPlace&& other) noexcept : mine_(std::exchange(other.mine_, false)) {}
  HelperPlace& operator=(HelperPlace&&) = delete;
  ~HelperPlace() {
    if (mine_) helper_budget().release();
  }

 private:
  bool mine_ = true;
};

// One call of process_all, as its workers see it.
class JobRun {
 public:
  using Process = std::function<Result<void>(const Context&, const Job&)>;

  // Keeps references: process_all joins every worker before it returns, so they hold.
  JobRun(const Context& parent, std::span<const Job> jobs, const Process& process)
      : jobs_(jobs), process_(process), source_(with_cancel(parent)) {}

  // What each worker does. Nobody tells a worker apart from another: whoever is free takes the next
  // job, so a slow job holds up no other, and the limit is simply how many workers there are.
  void work() {
    while (const Job* job = start_next()) finish(call(*job));
  }

  // For when all workers have returned.
  Result<FanOut> outcome() const {
    const std::lock_guard lock(mutex_);
    if (first_error_) return std::unexpected(*first_error_);
    return FanOut{.completed = completed_, .peak = peak_};
  }

 private:
  // The next job, now counted as running; null when there is none to start.
  //
  // "May I start one?", "which?" and "one more is running" are one step, so every job has started
  // either before the first error or never, and the peak is exact: with an atomic for each, a
  // worker counts itself in before it knows whether there is a job for it at all.
  const Job* start_next() {
    const std::lock_guard lock(mutex_);
    // In this order: a context that ends when no job is left to start has nothing to say.
    if (first_error_ || next_ == jobs_.size()) return nullptr;
    if (auto ended = source_.context().error()) {
      first_error_ = std::move(ended);  // leaving jobs out must not look like success
      return nullptr;
    }
    peak_ = std::max(peak_, ++running_);
    return &jobs_[next_++];
  }

  Result<void> call(const Job& job) const {
    try {
      return process_(source_.context(), job);
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  void finish(Result<void> outcome) {
    {
      const std::lock_guard lock(mutex_);
      --running_;
      if (outcome) ++completed_;
      if (outcome || first_error_) return;
      first_error_ = std::move(outcome.error());
    }
    // After the error is recorded, or a job that stops because of this could be quicker to report
    // "cancelled". Without the lock, because cancelling runs other people's stop callbacks.
    source_.cancel(Error{Errc::cancelled, "another job failed"});
  }

  const std::span<const Job> jobs_;
  const Process& process_;
  CancelSource source_;  // what the jobs see: ends with the parent, and at the first error
  mutable std::mutex mutex_;
  std::size_t next_ = 0;              // guarded by mutex_, as all below; the first job not started
  std::size_t running_ = 0;           // started and not yet finished
  std::size_t completed_ = 0;         // finished with success
  std::size_t peak_ = 0;              // the highest value of running_ so far
  std::optional<Error> first_error_;  // never changes once set
};

}  // namespace detail

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
    const Context& context, std::span<const Job> jobs, std::size_t limit,
    const std::function<Result<void>(const Context&, const Job&)>& process) {
  if (limit == 0) {
    return std::unexpected(
        Error{Errc::invalid_argument, "process_all with limit 0: no job could ever run"});
  }
  detail::JobRun run(context, jobs, process);
  {
    // Not reserved: `limit` may be anything, "as many as you like" included.
    std::vector<std::jthread> helpers;  // joined at the end of this block, whatever happens
    try {
      // One fewer than may run at once, because the caller is a worker, too: it has nothing better
      // to do, and a limit of 1 then needs no thread at all.
      while (helpers.size() + 1 < std::min(limit, jobs.size())) {
        // Its place is free again as soon as it has nothing to do.
        helpers.emplace_back([&run, place = detail::HelperPlace()] { run.work(); });
      }
    } catch (const std::system_error&) {
      // The system has no more threads to give. Fewer workers are slower, and nothing worse.
    }
    run.work();
  }
  return run.outcome();
}

}  // namespace futures
