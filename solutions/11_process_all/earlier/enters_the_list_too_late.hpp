// Wrong: every job has a context of its own, which is put on the list of those to be told a moment
// after the job was taken, without another look at the error; bites when another job fails in
// between: it tells everybody on the list, and the job that is just about to enter runs under a
// context that never ends (for ever, if it waits to be told).
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
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
      : context_(context), jobs_(jobs), process_(process) {}

  void work() {
    while (const Job* job = start()) {
      // With its own context a job that is over has nothing left to listen to.
      const auto source = std::make_shared<CancelSource>(with_cancel(context_));
      const auto place = enter(source);
      Result<void> outcome = run(source->context(), *job);
      finish(place, std::move(outcome));
    }
  }

  // When every worker has been joined.
  Result<FanOut> result() && {
    if (error_) return std::unexpected(*std::move(error_));
    return figures_;
  }

 private:
  using Sources = std::list<std::shared_ptr<CancelSource>>;

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

  Sources::iterator enter(std::shared_ptr<CancelSource> source) {
    const std::lock_guard lock(mutex_);
    return sources_.insert(sources_.end(), std::move(source));
  }

  Result<void> run(const Context& context, const Job& job) const {
    try {
      return process_(context, job);
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  void finish(Sources::iterator place, Result<void> outcome) {
    Sources told;
    {
      const std::lock_guard lock(mutex_);
      sources_.erase(place);
      --running_;
      if (outcome) {
        ++figures_.completed;
      } else if (!error_) {
        error_ = std::move(outcome).error();
        told = sources_;  // a copy: they may leave the list while they are told
      }
    }
    for (const auto& source : told) source->cancel();
  }

  const Context& context_;
  const std::span<const Job> jobs_;
  const Process& process_;
  std::mutex mutex_;
  std::size_t next_ = 0;  // guarded by mutex_, as all below
  std::size_t running_ = 0;
  FanOut figures_;
  std::optional<Error> error_;
  Sources sources_;
};

}  // namespace detail

inline Result<FanOut> process_all(
    const Context& context, std::span<const Job> jobs, std::size_t limit,
    const std::function<Result<void>(const Context&, const Job&)>& process) {
  if (limit == 0)
    return std::unexpected(Error{Errc::invalid_argument, "a limit of 0 runs nothing"});
  detail::FanOutRun run(context, jobs, process);
  {
    std::vector<std::jthread> workers;
    for (std::size_t count = std::min(limit, jobs.size()); count > 0; --count) {
      workers.emplace_back([&run] { run.work(); });
    }
  }
  return std::move(run).result();
}

}  // namespace futures
