// Wrong: each awaiter sleeps on a condition variable on its own stack; the end of fn takes their
// list along and wakes them when it has let go of the lock; bites when an awaiter's context ends in
// that moment: it wakes by itself, finds the outcome, returns, and its condition variable is gone
// when it is notified (use after return).
#pragma once

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

template <class T>
struct DeadlineState {
  struct Awaiter {
    std::condition_variable_any wake;
  };

  CancelSource producer = with_cancel(Context::background());
  std::mutex mutex;
  std::vector<Awaiter*> awaiters;    // guarded by mutex
  std::optional<Result<T>> outcome;  // guarded by mutex; constant once it is there

  static Result<T> call(Fn<Result<T>(const Context&)>& fn, const Context& context) {
    try {
      return fn(context);
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  void run(Fn<Result<T>(const Context&)> fn) {
    auto result = call(fn, producer.context());
    fn = nullptr;
    producer.cancel();  // takes the timer back
    std::vector<Awaiter*> to_wake;
    {
      const std::lock_guard lock(mutex);
      outcome = std::move(result);
      to_wake.swap(awaiters);
    }
    // Not under the lock, which is the first thing they want.
    for (auto* awaiter : to_wake) awaiter->wake.notify_one();
  }

  Result<T> await(const Context& ctx) {
    const auto deadline = ctx.deadline();
    if (deadline) producer.tighten(*deadline);
    {
      std::unique_lock lock(mutex);
      Awaiter me;
      awaiters.push_back(&me);
      const bool there =
          me.wake.wait(lock, ctx.stop_token(), [this] { return outcome.has_value(); });
      std::erase(awaiters, &me);
      if (there) return *outcome;
    }
    if (deadline && *deadline <= Clock::now()) producer.tighten(*deadline);
    return std::unexpected(*ctx.error());
  }

  void stop() {
    const auto due = producer.context().deadline();
    if (due && *due <= Clock::now()) producer.tighten(*due);
    producer.cancel();
  }
};

// What the handles share. Its end is the end of the last handle.
template <class T>
struct DeadlineHandles {
  explicit DeadlineHandles(std::shared_ptr<DeadlineState<T>> s) : state(std::move(s)) {}
  DeadlineHandles(const DeadlineHandles&) = delete;
  DeadlineHandles& operator=(const DeadlineHandles&) = delete;
  ~DeadlineHandles() { state->stop(); }

  const std::shared_ptr<DeadlineState<T>> state;
};

}  // namespace detail

template <class T>
class DeadlineFuture {
 public:
  Result<T> await(const Context& ctx) {
    const auto state = handles_->state;
    return state->await(ctx);
  }

  std::optional<Clock::time_point> deadline() const {
    return handles_->state->producer.context().deadline();
  }

  void cancel() {
    const auto state = handles_->state;
    state->stop();
  }

 private:
  template <class U>
  friend DeadlineFuture<U> go_with_deadline(Fn<Result<U>(const Context&)> fn);

  explicit DeadlineFuture(std::shared_ptr<detail::DeadlineHandles<T>> handles)
      : handles_(std::move(handles)) {}

  std::shared_ptr<detail::DeadlineHandles<T>> handles_;
};

template <class T>
DeadlineFuture<T> go_with_deadline(Fn<Result<T>(const Context&)> fn) {
  auto state = std::make_shared<detail::DeadlineState<T>>();
  DeadlineFuture<T> future(std::make_shared<detail::DeadlineHandles<T>>(state));
  spawn([state, fn = std::move(fn)]() mutable { state->run(std::move(fn)); });
  return future;
}

}  // namespace futures
