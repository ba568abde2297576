// Right: a RetryLazy is a Lazy that is replaced by a fresh one, around the same function, once it
// has failed; the Lazy itself is a pimpl with public extras.
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
class Lazy {
 public:
  enum class Stage : unsigned char { untouched, running, has_value, has_error };

  explicit Lazy(Fn<Result<T>(const Context&)> fn) : impl_(std::make_shared<Impl>()) {
    impl_->fn = std::move(fn);
  }
  Lazy(const Lazy&) = delete;
  Lazy& operator=(const Lazy&) = delete;
  ~Lazy() { impl_->nobody_left.cancel(); }

  Result<T> await(const Context& ctx) {
    std::unique_lock lock(impl_->mutex);
    if (impl_->stage == Stage::untouched) {
      spawn([impl = impl_] { impl->work(); });
      impl_->stage = Stage::running;
    }
    const bool over = impl_->stage_changed.wait(lock, ctx.stop_token(),
                                                [this] { return impl_->stage > Stage::running; });
    if (!over) return std::unexpected(*ctx.error());
    lock.unlock();
    return *impl_->outcome;
  }

  // Where things stand; running means that fn has not returned yet, or only just.
  Stage stage() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->stage;
  }

 private:
  struct Impl {
    void work() {
      try {
        outcome.emplace(fn(nobody_left.context()));
      } catch (...) {
        outcome.emplace(std::unexpected(error_from_current_exception()));
      }
      fn = nullptr;
      const std::lock_guard lock(mutex);
      stage = outcome->has_value() ? Stage::has_value : Stage::has_error;
      stage_changed.notify_all();
    }

    CancelSource nobody_left = with_cancel(Context::background());
    Fn<Result<T>(const Context&)> fn;
    std::mutex mutex;
    std::condition_variable_any stage_changed;
    Stage stage = Stage::untouched;    // guarded by mutex
    std::optional<Result<T>> outcome;  // written before the stage says so, constant after
  };

  std::shared_ptr<Impl> impl_;
};

// The attempts don't overlap: an attempt that everybody has left goes on, and whoever comes later
// joins it.
template <class T>
class RetryLazy {
 public:
  explicit RetryLazy(Fn<Result<T>(const Context&)> fn)
      : fn_(std::make_shared<Fn<Result<T>(const Context&)>>(std::move(fn))) {}
  RetryLazy(const RetryLazy&) = delete;
  RetryLazy& operator=(const RetryLazy&) = delete;

  Result<T> await(const Context& ctx) {
    // Holding on to the attempt: the object may go on to another one.
    return current()->await(ctx);
  }

 private:
  std::shared_ptr<Lazy<T>> current() {
    std::shared_ptr<Lazy<T>> old;  // goes after the lock: it cancels, and runs stop callbacks
    const std::lock_guard lock(mutex_);
    if (!attempt_ || attempt_->stage() == Lazy<T>::Stage::has_error) {
      old = std::exchange(attempt_, std::make_shared<Lazy<T>>(
                                        [fn = fn_](const Context& ctx) { return (*fn)(ctx); }));
    }
    return attempt_;
  }

  const std::shared_ptr<Fn<Result<T>(const Context&)>> fn_;
  std::mutex mutex_;
  std::shared_ptr<Lazy<T>> attempt_;  // guarded by mutex_
};

}  // namespace futures
