// Wrong: when one worker is enough (limit 1, or a single job), a plain loop on the caller's thread
// does it, and that loop was written without the try block of the workers; bites when process
// throws then: the exception leaves process_all.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

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

class FanOutRun {
 public:
  using Process = std::function<Result<void>(const Context&, const Job&)>;

  FanOutRun(const Context& context, std::span<const Job> jobs, const Process& process)
      : context_(context), jobs_(jobs), process_(process), source_(with_cancel(context)) {}

  void work() {
    while (const Job* job = start()) {
      Result<void> outcome = [&]() -> Result<void> {
        try {
          return process_(source_.context(), *job);
        } catch (...) {
          return std::unexpected(error_from_current_exception());
        }
      }();
      finish(std::move(outcome));
    }
  }

  // When every worker has been joined.
  Result<FanOut> result() && {
    if (error_) return std::unexpected(*std::move(error_));
    return figures_;
  }

 private:
  const Job* start() {
    const std::lock_guard lock(mutex_);
    if (error_ || next_ == jobs_.size()) return nullptr;
    if (context_.done()) {
      error_ = *context_.error();
      return nullptr;
    }
    figures_.peak = std::max(figures_.peak, ++running_);
    return &jobs_[next_++];
  }

  void finish(Result<void> outcome) {
    {
      const std::lock_guard lock(mutex_);
      --running_;
      if (outcome) {
        ++figures_.completed;
        return;
      }
      if (error_) return;
      error_ = std::move(outcome).error();
    }
    source_.cancel();
  }

  const Context& context_;
  const std::span<const Job> jobs_;
  const Process& process_;
  CancelSource source_;
  std::mutex mutex_;
  std::size_t next_ = 0;  // guarded by mutex_, as all below
  std::size_t running_ = 0;
  FanOut figures_;
  std::optional<Error> error_;
};

// No threads, no locks, no books.
inline Result<FanOut> one_after_the_other(
    const Context& context, std::span<const Job> jobs,
    const std::function<Result<void>(const Context&, const Job&)>& process) {
  const CancelSource source = with_cancel(context);
  for (const Job& job : jobs) {
    if (context.done()) return std::unexpected(*context.error());
    if (auto outcome = process(source.context(), job); !outcome) {
      return std::unexpected(std::move(outcome).error());
    }
  }
  return FanOut{jobs.size(), 1};
}

}  // namespace detail

inline Result<FanOut> process_all(
    const Context& context, std::span<const Job> jobs, std::size_t limit,
    const std::function<Result<void>(const Context&, const Job&)>& process) {
  if (limit == 0)
    return std::unexpected(Error{Errc::invalid_argument, "a limit of 0 runs nothing"});
  const std::size_t workers = std::min(limit, jobs.size());
  if (workers == 0) return FanOut{};
  if (workers == 1) return detail::one_after_the_other(context, jobs, process);
  detail::FanOutRun run(context, jobs, process);
  {
    std::vector<std::jthread> threads;
    for (std::size_t count = workers; count > 0; --count) {
      threads.emplace_back([&run] { run.work(); });
    }
  }
  return std::move(run).result();
}

}  // namespace futures
