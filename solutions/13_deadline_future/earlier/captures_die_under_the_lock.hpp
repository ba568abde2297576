// Wrong: fn is destroyed with the lock held; bites when a capture is the last handle, or cancels in
// its destructor.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

template <class T>
class DeadlineFuture;
template <class T>
DeadlineFuture<T> go_with_deadline(Fn<Result<T>(const Context&)> fn);

namespace detail {

// What the handles and the producer's thread share.
template <class T>
class DeadlineWork {
 public:
  explicit DeadlineWork(Fn<Result<T>(const Context&)> fn) : fn_(std::move(fn)) {}

  // On the producer's thread.
  void run() {
    auto outcome = attempt();
    {
      const std::lock_guard lock(mutex_);
      outcome_.emplace(std::move(outcome));
      fn_ = nullptr;  // before anybody can see the outcome
    }
    source_.cancel();  // takes the timer back
    settled_.notify_all();
  }

  Result<T> await(const Context& ctx) {
    if (const auto deadline = ctx.deadline(); deadline && !settled()) source_.tighten(*deadline);
    {
      std::unique_lock lock(mutex_);
      const auto there = [this] { return outcome_.has_value(); };
      if (!settled_.wait(lock, ctx.stop_token(), there)) return std::unexpected(*ctx.error());
    }
    return *outcome_;  // constant from now on
  }

  std::optional<Clock::time_point> deadline() const { return source_.context().deadline(); }

  // A deadline that has passed was first, even if the timer has not come round to it yet.
  void stop() {
    if (settled()) return;
    if (const auto due = deadline(); due && *due <= Clock::now()) source_.tighten(*due);
    source_.cancel();
  }

 private:
  Result<T> attempt() {
    try {
      return fn_(source_.context());
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  bool settled() const {
    const std::lock_guard lock(mutex_);
    return outcome_.has_value();
  }

  Fn<Result<T>(const Context&)> fn_;  // the producer's
  CancelSource source_ = with_cancel(Context::background());
  mutable std::mutex mutex_;
  std::condition_variable_any settled_;
  std::optional<Result<T>> outcome_;  // guarded by mutex_; set once
};

// What the handles share and the producer does not: its end is the end of the last handle.
template <class T>
struct DeadlineHandles {
  explicit DeadlineHandles(std::shared_ptr<DeadlineWork<T>> w) : work(std::move(w)) {}
  DeadlineHandles(const DeadlineHandles&) = delete;
  DeadlineHandles& operator=(const DeadlineHandles&) = delete;
  ~DeadlineHandles() { work->stop(); }

  const std::shared_ptr<DeadlineWork<T>> work;
};

}  // namespace detail

template <class T>
class DeadlineFuture {
 public:
  Result<T> await(const Context& ctx) { return handles_->work->await(ctx); }

  std::optional<Clock::time_point> deadline() const { return handles_->work->deadline(); }

  void cancel() { handles_->work->stop(); }

 private:
  friend DeadlineFuture go_with_deadline<T>(Fn<Result<T>(const Context&)> fn);
  explicit DeadlineFuture(std::shared_ptr<detail::DeadlineWork<T>> work)
      : handles_(std::make_shared<detail::DeadlineHandles<T>>(std::move(work))) {}

  std::shared_ptr<detail::DeadlineHandles<T>> handles_;
};

template <class T>
DeadlineFuture<T> go_with_deadline(Fn<Result<T>(const Context&)> fn) {
  auto work = std::make_shared<detail::DeadlineWork<T>>(std::move(fn));
  spawn([work] { work->run(); });
  return DeadlineFuture<T>(std::move(work));
}

}  // namespace futures
