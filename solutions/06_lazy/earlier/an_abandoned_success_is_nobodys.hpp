// Wrong: RetryLazy tries again whenever the attempt it found had been abandoned, and forgets that
// an abandoned attempt may succeed all the same; bites when everybody leaves, fn does not care and
// returns a value, and somebody awaits during or after that: it finds the same abandoned attempt
// again and again, with the lock held, and never returns, whatever its context says.
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

namespace detail {

template <class T>
Result<T> call_lazy(Fn<Result<T>(const Context&)>& fn, const Context& ctx) {
  try {
    return fn(ctx);
  } catch (...) {
    return std::unexpected(error_from_current_exception());
  }
}

}  // namespace detail

// fn's context ends when the Lazy is destroyed.
template <class T>
class Lazy {
 public:
  explicit Lazy(Fn<Result<T>(const Context&)> fn) : state_(std::make_shared<State>()) {
    state_->fn = std::move(fn);
  }
  Lazy(const Lazy&) = delete;
  Lazy& operator=(const Lazy&) = delete;

  Result<T> await(const Context& ctx) {
    std::unique_lock lock(state_->mutex);
    if (!state_->started) {
      spawn([state = state_, context = life_.context()] {
        Result<T> outcome = detail::call_lazy<T>(state->fn, context);
        const std::lock_guard guard(state->mutex);
        state->outcome.emplace(std::move(outcome));
        state->changed.notify_all();
      });
      state_->started = true;
    }
    if (!state_->changed.wait(lock, ctx.stop_token(),
                              [this] { return state_->outcome.has_value(); })) {
      return std::unexpected(*ctx.error());
    }
    lock.unlock();
    return *state_->outcome;  // constant from now on
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable_any changed;
    Fn<Result<T>(const Context&)> fn;  // for the thread alone
    bool started = false;              // guarded by mutex, as the outcome until it is there
    std::optional<Result<T>> outcome;
  };

  CancelSource life_ = with_cancel(Context::background());
  std::shared_ptr<State> state_;
};

// fn's context ends when everybody who waits for the attempt has left.
template <class T>
class RetryLazy {
 public:
  explicit RetryLazy(Fn<Result<T>(const Context&)> fn) : state_(std::make_shared<State>()) {
    state_->fn = std::move(fn);
  }
  RetryLazy(const RetryLazy&) = delete;
  RetryLazy& operator=(const RetryLazy&) = delete;

  Result<T> await(const Context& ctx) {
    std::unique_lock lock(state_->mutex);
    for (;;) {
      if (!state_->attempt) start();
      const std::shared_ptr<Attempt> attempt = state_->attempt;
      const bool too_late = attempt->abandoned;
      if (!too_late) ++attempt->waiting;
      const bool over = state_->changed.wait(lock, ctx.stop_token(),
                                             [&] { return attempt->outcome.has_value(); });
      if (!over) {
        if (!too_late && --attempt->waiting == 0) {
          attempt->abandoned = true;
          lock.unlock();
          attempt->source.cancel();  // runs callbacks of fn: not under the lock
        }
        return std::unexpected(*ctx.error());
      }
      // That one had been cancelled before we came: its end is not for us, we make the next one.
      if (too_late) continue;
      lock.unlock();
      return *attempt->outcome;  // constant from now on
    }
  }

 private:
  struct Attempt {
    CancelSource source = with_cancel(Context::background());
    int waiting = 0;         // guarded by State::mutex, as all below
    bool abandoned = false;  // everybody has left: it is being cancelled
    std::optional<Result<T>> outcome;
  };

  struct State {
    std::mutex mutex;
    std::condition_variable_any changed;
    Fn<Result<T>(const Context&)> fn;  // for the thread of the current attempt
    std::shared_ptr<Attempt> attempt;  // the one that is running or has succeeded; else null
  };

  // With the lock held.
  void start() {
    const auto attempt = std::make_shared<Attempt>();
    spawn([state = state_, attempt] {
      Result<T> outcome = detail::call_lazy<T>(state->fn, attempt->source.context());
      const std::lock_guard lock(state->mutex);
      if (!outcome) state->attempt = nullptr;
      attempt->outcome.emplace(std::move(outcome));
      state->changed.notify_all();
    });
    state_->attempt = attempt;
  }

  std::shared_ptr<State> state_;
};

}  // namespace futures
