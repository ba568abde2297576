// Wrong: fn lives in the shared state, which lets go of it when it has returned; bites when fn
// throws: its captures stay until the last handle has gone.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <semaphore>
#include <stop_token>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// What does not depend on T: the context and those who sleep.
class DeadlineCore {
 public:
  DeadlineCore() = default;
  DeadlineCore(const DeadlineCore&) = delete;
  DeadlineCore& operator=(const DeadlineCore&) = delete;
  virtual ~DeadlineCore() = default;

  std::optional<Clock::time_point> deadline() const { return source_.context().deadline(); }

  void end() { source_.cancel(); }
  void cancel() {
    if (!settled()) source_.cancel();
  }

  // True: settled. False: ctx has ended before that.
  bool wait(const Context& ctx) {
    if (const auto deadline = ctx.deadline()) source_.tighten(*deadline);
    std::counting_semaphore<> awake(0);
    {
      const std::lock_guard lock(mutex_);
      if (settled_) return true;
      sleepers_.push_back(&awake);
    }
    {
      const auto ring = [&awake] { awake.release(); };
      const std::stop_callback on_end(ctx.stop_token(), ring);
      awake.acquire();
    }
    const std::lock_guard lock(mutex_);
    sleepers_.remove(&awake);
    return settled_;
  }

  void run() {
    work();
    {
      const std::lock_guard lock(mutex_);
      settled_ = true;
    }
    source_.cancel();
    const std::lock_guard lock(mutex_);
    for (auto* sleeper : sleepers_) sleeper->release();
  }

 protected:
  Context context() const { return source_.context(); }
  bool settled() const {
    const std::lock_guard lock(mutex_);
    return settled_;
  }

 private:
  virtual void work() = 0;

  CancelSource source_ = with_cancel(Context::background());
  mutable std::mutex mutex_;
  bool settled_ = false;
  std::list<std::counting_semaphore<>*> sleepers_;
};

template <class T>
class DeadlineJob final : public DeadlineCore {
 public:
  explicit DeadlineJob(Fn<Result<T>(const Context&)> fn) : fn_(std::move(fn)) {}
  const Result<T>& outcome() const { return *outcome_; }

 private:
  void work() override {
    try {
      outcome_.emplace(fn_(context()));
      fn_ = nullptr;
    } catch (...) {
      outcome_.emplace(std::unexpect, error_from_current_exception());
    }
  }

  Fn<Result<T>(const Context&)> fn_;
  std::optional<Result<T>> outcome_;
};

}  // namespace detail

template <class T>
class DeadlineFuture {
 public:
  explicit DeadlineFuture(std::shared_ptr<detail::DeadlineJob<T>> job)
      : job_(job.get(), [job](detail::DeadlineJob<T>*) { job->end(); }) {}

  Result<T> await(const Context& ctx) {
    if (job_->wait(ctx)) return job_->outcome();
    return std::unexpected(*ctx.error());
  }
  std::optional<Clock::time_point> deadline() const { return job_->deadline(); }
  void cancel() { job_->cancel(); }

 private:
  std::shared_ptr<detail::DeadlineJob<T>> job_;
};

template <class T>
DeadlineFuture<T> go_with_deadline(Fn<Result<T>(const Context&)> fn) {
  auto job = std::make_shared<detail::DeadlineJob<T>>(std::move(fn));
  DeadlineFuture<T> future(job);
  spawn([job = std::move(job)] { job->run(); });
  return future;
}

}  // namespace futures
