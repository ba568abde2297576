// Wrong: whether a job has failed is asked of the code of the error that was kept, so an error that
// is only a text (code 0) counts as none; bites when the first job that fails returns
// std::unexpected(Error{{}, "text"}): jobs are still started, a later error replaces it, or the
// call succeeds.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

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

namespace detail {

class FanOutRun {
 public:
  using Process = std::function<Result<void>(const Context&, const Job&)>;

  FanOutRun(const Context& context, std::span<const Job> jobs, const Process& process)
      : context_(context), jobs_(jobs), process_(process), source_(with_cancel(context)) {}

  void work() {
    while (const Job* job = take()) finish(attempt(*job));
  }

  // When nobody works any more.
  Result<FanOut> outcome() {
    const std::lock_guard lock(mutex_);
    const bool left_out = next_ < jobs_.size();
    if (failed() && !(left_out && context_first_)) return std::unexpected(first_);
    if (left_out) return std::unexpected(*context_.error());
    return FanOut{completed_, peak_};
  }

 private:
  // With the mutex held, as all that looks at the members below it.
  bool failed() const { return static_cast<bool>(first_.code); }

  const Job* take() {
    const std::lock_guard lock(mutex_);
    if (next_ == jobs_.size() || failed() || context_.done()) return nullptr;
    peak_ = std::max(peak_, ++running_);
    return &jobs_[next_++];
  }

  Result<void> attempt(const Job& job) {
    try {
      return process_(source_.context(), job);
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  void finish(Result<void> result) {
    {
      const std::lock_guard lock(mutex_);
      --running_;
      if (result) {
        ++completed_;
        return;
      }
      if (failed()) return;
      context_first_ = context_.done();
      first_ = std::move(result.error());
    }
    source_.cancel();
  }

  const Context& context_;
  const std::span<const Job> jobs_;
  const Process& process_;
  CancelSource source_;

  std::mutex mutex_;
  Error first_;                 // the first error in time
  bool context_first_ = false;  // the caller's context had ended by then
  std::size_t next_ = 0;
  std::size_t completed_ = 0;
  std::size_t running_ = 0;
  std::size_t peak_ = 0;
};

}  // namespace detail

// A limit of 0 is an error even without jobs; a dead context is none when there are no jobs. Once
// the caller's context has ended, and jobs are left out for it, its error comes before those of
// the jobs that fail afterwards.
inline Result<FanOut> process_all(
    const Context& context, std::span<const Job> jobs, std::size_t limit,
    const std::function<Result<void>(const Context&, const Job&)>& process) {
  if (limit == 0) return std::unexpected(Error{Errc::invalid_argument, "a limit of 0"});
  if (jobs.empty()) return FanOut{};
  detail::FanOutRun run(context, jobs, process);
  {
    std::vector<std::jthread> helpers;
    const auto count = context.done() ? 0 : std::min(limit, jobs.size()) - 1;
    helpers.reserve(count);
    try {
      while (helpers.size() < count) helpers.emplace_back([&run] { run.work(); });
    } catch (const std::system_error&) {
      // Fewer helpers, then: this thread works as well.
    }
    run.work();
  }
  return run.outcome();
}

}  // namespace futures
