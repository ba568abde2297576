// Wrong: tells the other jobs first and writes the error down second; bites when one of them is
// quicker to say "cancelled".
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
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
  std::size_t completed = 0;
  std::size_t peak = 0;
  friend bool operator==(const FanOut&, const FanOut&) = default;
};

namespace detail {

class JobRun {
 public:
  using Process = std::function<Result<void>(const Context&, const Job&)>;

  JobRun(const Context& parent, std::span<const Job> jobs, const Process& process)
      : jobs_(jobs), process_(process), parent_(parent), source_(with_cancel(parent)) {}

  void work() {
    while (const Job* job = start_next()) finish(call(*job));
  }

  Result<FanOut> outcome() const {
    const std::lock_guard lock(mutex_);
    if (first_error_) return std::unexpected(*first_error_);
    return FanOut{.completed = completed_, .peak = peak_};
  }

 private:
  const Job* start_next() {
    const std::lock_guard lock(mutex_);
    if (first_error_ || next_ == jobs_.size()) return nullptr;
    if (parent_.done()) {
      first_error_ = parent_.error();
      return nullptr;
    }
    if (source_.context().done()) return nullptr;
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
    if (!outcome) source_.cancel(Error{Errc::cancelled, "another job failed"});
    const std::lock_guard lock(mutex_);
    --running_;
    if (outcome) ++completed_;
    if (!outcome && !first_error_) first_error_ = std::move(outcome.error());
  }

  const std::span<const Job> jobs_;
  const Process& process_;
  const Context parent_;
  CancelSource source_;
  mutable std::mutex mutex_;
  std::size_t next_ = 0;
  std::size_t running_ = 0;
  std::size_t completed_ = 0;
  std::size_t peak_ = 0;
  std::optional<Error> first_error_;
};

}  // namespace detail

inline Result<FanOut> process_all(
    const Context& context, std::span<const Job> jobs, std::size_t limit,
    const std::function<Result<void>(const Context&, const Job&)>& process) {
  if (limit == 0) {
    return std::unexpected(
        Error{Errc::invalid_argument, "process_all with limit 0: no job could ever run"});
  }
  detail::JobRun run(context, jobs, process);
  {
    std::vector<std::jthread> helpers;
    try {
      while (helpers.size() + 1 < std::min(limit, jobs.size())) {
        helpers.emplace_back([&run] { run.work(); });
      }
    } catch (const std::system_error&) {
    }
    run.work();
  }
  return run.outcome();
}

}  // namespace futures
