// Wrong: RetryLazy counts who waits in one place for all attempts and starts at 0 with each of
// them; bites when a new attempt has begun before everybody who waited for the failed one has woken
// up: the one who wakes late counts itself out of the new attempt, and with one awaiter there that
// makes 0: the new attempt is cancelled though somebody with a live context waits for it, who gets
// "cancelled". (A and B wait for #1, which fails; A leaves; C starts #2; B wakes.)
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
      if (attempt->abandoned) {
        // It was cancelled before we came: wait until it is over.
        if (!state_->changed.wait(lock, ctx.stop_token(),
                                  [&] { return attempt->outcome.has_value(); })) {
          return std::unexpected(*ctx.error());
        }
        if (!*attempt->outcome) continue;  // and the next one is ours
      } else {
        ++state_->waiting;
        state_->changed.wait(lock, ctx.stop_token(), [&] { return attempt->outcome.has_value(); });
        const bool last = --state_->waiting == 0;
        if (last && state_->attempt && !state_->attempt->outcome) {
          // Nobody waits any more for what is running. Cancelling runs callbacks of fn, so not
          // under the lock.
          const std::shared_ptr<Attempt> lonely = state_->attempt;
          lonely->abandoned = true;
          lock.unlock();
          lonely->source.cancel();
          lock.lock();
        }
        if (!attempt->outcome) return std::unexpected(*ctx.error());
      }
      lock.unlock();
      return *attempt->outcome;  // constant from now on
    }
  }

 private:
  struct Attempt {
    CancelSource source = with_cancel(Context::background());
    bool abandoned = false;  // guarded by State::mutex, as the outcome until it is there
    std::optional<Result<T>> outcome;
  };

  struct State {
    std::mutex mutex;
    std::condition_variable_any changed;
    Fn<Result<T>(const Context&)> fn;  // for the thread of the current attempt
    std::shared_ptr<Attempt> attempt;  // the one that is running or has succeeded; else null
    int waiting = 0;                   // how many wait for it
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
    state_->waiting = 0;  // a new attempt, and nobody waits for it yet
  }

  std::shared_ptr<State> state_;
};

}  // namespace futures
