// Wrong: the worker that tells the running jobs to stop walks along their list, lets the lock go
// while it cancels one, and goes on from the neighbour it remembered, which may have left the list
// by then; bites when a job fails, and while one running job is being told the next one on the list
// ends by itself: those behind it never see their context end, and may run for ever.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
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

// A job that is running, with a context of its own. A link in the list of all that are.
struct RunningJob {
  explicit RunningJob(const Context& parent) : source(with_cancel(parent)) {}

  CancelSource source;
  std::shared_ptr<RunningJob> next;  // guarded by the mutex of the run, as is prev
  RunningJob* prev = nullptr;
};

class FanOutRun {
 public:
  using Process = std::function<Result<void>(const Context&, const Job&)>;

  FanOutRun(const Context& context, std::span<const Job> jobs, const Process& process)
      : context_(context), jobs_(jobs), process_(process) {}

  void hire() {
    const std::lock_guard lock(mutex_);
    ++helpers_;
  }

  // Under the lock: the caller may be gone as soon as it has seen the number.
  void sign_off() {
    const std::lock_guard lock(mutex_);
    if (--helpers_ == 0) all_gone_.notify_all();
  }

  void work() {
    for (;;) {
      auto running = std::make_shared<RunningJob>(context_);
      const Job* const job = start(running);
      if (!job) return;
      finish(running, attempt(running->source.context(), *job));
    }
  }

  Result<FanOut> wait() {
    std::unique_lock lock(mutex_);
    all_gone_.wait(lock, [this] { return helpers_ == 0; });
    const bool left_out = next_ < jobs_.size();
    if (first_ && !(left_out && context_first_)) return std::unexpected(std::move(*first_));
    if (left_out) return std::unexpected(*context_.error());
    return FanOut{completed_, peak_};
  }

 private:
  // Takes a job and enters it in the list in one step, so that none starts after the first error,
  // and none that has started before is missing.
  const Job* start(const std::shared_ptr<RunningJob>& running) {
    const std::lock_guard lock(mutex_);
    if (next_ == jobs_.size() || first_ || context_.done()) return nullptr;
    running->next = head_;
    if (head_) head_->prev = running.get();
    head_ = running;
    peak_ = std::max(peak_, ++running_);
    return &jobs_[next_++];
  }

  Result<void> attempt(const Context& context, const Job& job) {
    try {
      return process_(context, job);
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  void finish(const std::shared_ptr<RunningJob>& running, Result<void> result) {
    {
      const std::lock_guard lock(mutex_);
      --running_;
      if (running->next) running->next->prev = running->prev;
      (running->prev ? running->prev->next : head_) = running->next;
      running->next = nullptr;  // nobody is kept alive by a job that is over
      running->prev = nullptr;
      if (result) {
        ++completed_;
        return;
      }
      if (first_) return;
      context_first_ = context_.done();
      first_ = std::move(result.error());
    }
    stop_the_others();
  }

  // Cancelling runs functions of the jobs: not with the lock held.
  void stop_the_others() {
    std::unique_lock lock(mutex_);
    for (auto other = head_; other;) {
      auto next = other->next;
      lock.unlock();
      other->source.cancel();
      other = std::move(next);
      lock.lock();
    }
  }

  const Context& context_;
  const std::span<const Job> jobs_;
  const Process& process_;

  std::mutex mutex_;  // guards all below
  std::condition_variable all_gone_;
  std::shared_ptr<RunningJob> head_;
  std::optional<Error> first_;  // the first error in time
  bool context_first_ = false;  // the caller's context had ended by then
  std::size_t helpers_ = 0;
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
  const auto run = std::make_shared<detail::FanOutRun>(context, jobs, process);
  const auto count = context.done() ? 0 : std::min(limit, jobs.size()) - 1;
  for (std::size_t i = 0; i < count; ++i) {
    run->hire();
    try {
      spawn([run] {
        run->work();
        run->sign_off();
      });
    } catch (const std::system_error&) {
      run->sign_off();  // fewer helpers, then: this thread works as well
      break;
    }
  }
  run->work();
  return run->wait();
}

}  // namespace futures
