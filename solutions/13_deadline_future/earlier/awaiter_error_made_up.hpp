// Wrong: an awaiter that leaves makes its error up from the clock instead of asking its context;
// bites when the context was cancelled with a reason of its own, or awaits cancelled after its
// deadline.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <semaphore>
#include <stop_token>
#include <utility>
#include <vector>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// Each awaiter sleeps on a semaphore of its own, which is in the list while it may be woken.
template <class T>
class Counter {
 public:
  using Bell =
      std::counting_semaphore<2>;  // rung at most by the end of the work and of the context

  void run(Fn<Result<T>(const Context&)> fn) {
    std::optional<Result<T>> result;
    try {
      result.emplace(fn(source_.context()));
    } catch (...) {
      result.emplace(std::unexpected(error_from_current_exception()));
    }
    fn = nullptr;
    source_.cancel();
    const std::lock_guard lock(mutex_);
    outcome_.emplace(*std::move(result));
    for (Bell* bell : bells_) bell->release();
    bells_.clear();
  }

  Result<T> await(const Context& ctx) {
    tighten(ctx);
    Bell bell(0);
    {
      std::unique_lock lock(mutex_);
      if (outcome_) {
        lock.unlock();
        return *outcome_;
      }
      bells_.push_back(&bell);
    }
    {
      const std::stop_callback ring(ctx.stop_token(), [&] { bell.release(); });
      bell.acquire();
    }
    {
      std::unique_lock lock(mutex_);
      if (outcome_) {
        lock.unlock();
        return *outcome_;
      }
      std::erase(bells_, &bell);
    }
    tighten(ctx);
    const auto deadline = ctx.deadline();
    if (deadline && *deadline <= Clock::now()) {
      return std::unexpected(Error{Errc::deadline_exceeded, "the deadline of the context passed"});
    }
    return std::unexpected(Error{Errc::cancelled, "the context was cancelled"});
  }

  void cancel() { source_.cancel(); }
  std::optional<Clock::time_point> deadline() const { return source_.context().deadline(); }

 private:
  void tighten(const Context& ctx) {
    if (const auto deadline = ctx.deadline()) source_.tighten(*deadline);
  }

  CancelSource source_ = with_cancel(Context::background());
  std::mutex mutex_;
  std::vector<Bell*> bells_;          // guarded by mutex_
  std::optional<Result<T>> outcome_;  // guarded by mutex_; constant once there
};

}  // namespace detail

template <class T>
class DeadlineFuture {
 public:
  explicit DeadlineFuture(const std::shared_ptr<detail::Counter<T>>& counter)
      : counter_(counter.get(), [counter](auto* last) { last->cancel(); }) {}

  Result<T> await(const Context& ctx) {
    const auto counter = counter_;
    return counter->await(ctx);
  }
  std::optional<Clock::time_point> deadline() const { return counter_->deadline(); }
  void cancel() {
    const auto counter = counter_;
    counter->cancel();
  }

 private:
  std::shared_ptr<detail::Counter<T>> counter_;
};

template <class T>
DeadlineFuture<T> go_with_deadline(Fn<Result<T>(const Context&)> fn) {
  auto counter = std::make_shared<detail::Counter<T>>();
  DeadlineFuture<T> future(counter);
  spawn([counter = std::move(counter), fn = std::move(fn)]() mutable {
    counter->run(std::move(fn));
  });
  return future;
}

}  // namespace futures
