// Wrong: each awaiter wakes the next one once it has copied the outcome; bites when a copy throws:
// the others sleep on.
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

// What the producer and all handles share.
template <class T>
class DeadlineWork {
 public:
  Result<T> await(const Context& ctx) {
    if (const auto deadline = ctx.deadline()) tighten(*deadline);
    {
      std::unique_lock lock(mutex_);
      if (!wake_.wait(lock, ctx.stop_token(), [this] { return ready_; })) {
        return std::unexpected(*ctx.error());
      }
    }
    Result<T> copy = *outcome_;  // it does not change any more: no lock, copying is the user's code
    wake_.notify_one();          // a thousand awaiters wake one after the other, not all at once
    return copy;
  }

  std::optional<Clock::time_point> deadline() const { return source_.context().deadline(); }

  void cancel() { source_.cancel(); }

  void run(Fn<Result<T>(const Context&)> fn) {
    compute(std::move(fn));
    {
      const std::lock_guard lock(mutex_);
      ready_ = true;
      wake_.notify_one();
    }
    source_.cancel();  // an ended context needs no timer
  }

 private:
  void tighten(Clock::time_point deadline) { source_.tighten(deadline); }

  // fn and its captures are gone when it returns.
  void compute(Fn<Result<T>(const Context&)> fn) {
    auto mine = std::move(fn);
    try {
      outcome_.emplace(mine(source_.context()));
    } catch (...) {
      outcome_.emplace(std::unexpected(error_from_current_exception()));
    }
  }

  CancelSource source_ = with_cancel(Context::background());
  std::mutex mutex_;
  std::condition_variable_any wake_;
  bool ready_ = false;                // guarded by mutex_
  std::optional<Result<T>> outcome_;  // written by the producer alone, before ready_
};

// All handles share one of these, and the producer does not: it goes with the last handle.
template <class T>
class DeadlineOwner {
 public:
  explicit DeadlineOwner(std::shared_ptr<DeadlineWork<T>> work) : work_(std::move(work)) {}
  DeadlineOwner(const DeadlineOwner&) = delete;
  DeadlineOwner& operator=(const DeadlineOwner&) = delete;
  ~DeadlineOwner() { work_->cancel(); }

  const std::shared_ptr<DeadlineWork<T>>& work() const { return work_; }

 private:
  std::shared_ptr<DeadlineWork<T>> work_;
};

}  // namespace detail

// A handle on work that go_with_deadline() has started. Copies refer to the same work; when the
// last one is gone, nobody can ask for the result any more, and the work's context is cancelled.
// Whoever ends that context runs its stop callbacks, and these may use the future: no lock then.
//
// T is any type that can be copied; it needs no default constructor. Everything may be called from
// many threads at once, but a handle must not be destroyed or assigned to while somebody calls its
// members. Only destroying and assigning to is allowed after a handle was moved from.
template <class T>
class DeadlineFuture {
 public:
  // What fn returned or, when ctx ends first, ctx's error. An outcome of fn that is there is
  // returned even when ctx has ended.
  Result<T> await(const Context& ctx) {
    const auto work = owner_->work();
    return work->await(ctx);
  }

  // The earliest deadline that an await has brought so far; nullopt while there was none.
  std::optional<Clock::time_point> deadline() const { return owner_->work()->deadline(); }

  // Ends fn's context with Errc::cancelled.
  void cancel() {
    const auto work = owner_->work();
    work->cancel();
  }

 private:
  friend DeadlineFuture go_with_deadline<T>(Fn<Result<T>(const Context&)> fn);
  explicit DeadlineFuture(std::shared_ptr<detail::DeadlineOwner<T>> owner)
      : owner_(std::move(owner)) {}

  std::shared_ptr<detail::DeadlineOwner<T>> owner_;
};

// Starts fn on a thread of its own, at once, and returns at once. fn's context has no deadline
// until somebody awaits with one. An exception that leaves fn is an outcome too: an Error with
// code Errc::exception. When fn has returned, fn itself and its captures are destroyed, its context
// needs no timer any more, and its thread ends.
template <class T>
DeadlineFuture<T> go_with_deadline(Fn<Result<T>(const Context&)> fn) {
  auto work = std::make_shared<detail::DeadlineWork<T>>();
  DeadlineFuture<T> future(std::make_shared<detail::DeadlineOwner<T>>(work));
  spawn([work = std::move(work), fn = std::move(fn)]() mutable { work->run(std::move(fn)); });
  return future;
}

}  // namespace futures
