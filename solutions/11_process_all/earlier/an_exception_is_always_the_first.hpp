// Wrong: an exception is written down without a look whether there is an error already; bites when
// a job that is told to stop throws.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>

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

// One call of process_all. Lives on the caller's stack: the call outlives its workers.
class FanOutCall {
 public:
  using Process = std::function<Result<void>(const Context&, const Job&)>;

  FanOutCall(const Context& context, std::span<const Job> jobs, const Process& process)
      : caller_(context), jobs_(jobs), process_(process), group_(with_cancel(context)) {}

  Result<FanOut> run(std::size_t workers) {
    for (std::size_t i = 0; i < workers; ++i) {
      {
        const std::lock_guard lock(mutex_);
        ++at_work_;
      }
      try {
        spawn([this] {
          serve();
          leave();
        });
      } catch (const std::system_error&) {
        leave();
        if (i == 0) serve();  // no threads to be had: the caller does it alone
        break;
      }
    }
    std::unique_lock lock(mutex_);
    nobody_.wait(lock, [this] { return at_work_ == 0; });
    if (first_error_) return std::unexpected(*std::move(first_error_));
    return FanOut{completed_, peak_};
  }

 private:
  void serve() {
    while (const Job* job = take()) {
      try {
        finish(process_(group_.context(), *job));
      } catch (...) {
        failed(error_from_current_exception());
      }
    }
  }

  // The next job; null when there is none, or none may be started any more.
  const Job* take() {
    const std::lock_guard lock(mutex_);
    if (first_error_ || next_ == jobs_.size()) return nullptr;
    if (caller_.done()) {
      first_error_ = caller_.error();
      return nullptr;
    }
    peak_ = std::max(peak_, ++running_);
    return &jobs_[next_++];
  }

  void failed(Error error) {
    {
      const std::lock_guard lock(mutex_);
      --running_;
      first_error_ = caller_.done() ? *caller_.error() : std::move(error);
    }
    group_.cancel();
  }

  void finish(Result<void> result) {
    {
      const std::lock_guard lock(mutex_);
      --running_;
      if (result) {
        ++completed_;
        return;
      }
      if (first_error_) return;
      // What a job says after the caller's context has ended is a consequence.
      first_error_ = caller_.done() ? *caller_.error() : std::move(result).error();
    }
    group_.cancel();  // runs the jobs' stop callbacks: not under the lock
  }

  void leave() {
    const std::lock_guard lock(mutex_);
    --at_work_;
    nobody_.notify_one();  // under the lock: the caller takes all this away once it may
  }

  const Context& caller_;
  const std::span<const Job> jobs_;
  const Process& process_;
  CancelSource group_;

  std::mutex mutex_;
  std::condition_variable nobody_;
  std::size_t at_work_ = 0;  // guarded by mutex_, as all below
  std::size_t next_ = 0;
  std::size_t running_ = 0;
  std::size_t completed_ = 0;
  std::size_t peak_ = 0;
  std::optional<Error> first_error_;
};

}  // namespace detail

// Calls process once for each job, at most `limit` at the same time. The context's end comes after
// limit 0 and before everything else, also when there are no jobs.
inline Result<FanOut> process_all(
    const Context& context, std::span<const Job> jobs, std::size_t limit,
    const std::function<Result<void>(const Context&, const Job&)>& process) {
  if (limit == 0) return std::unexpected(Error{Errc::invalid_argument, "limit must not be 0"});
  if (jobs.empty()) return FanOut{};
  if (context.done()) return std::unexpected(*context.error());
  detail::FanOutCall call(context, jobs, process);
  return call.run(std::min(limit, jobs.size()));
}

}  // namespace futures
