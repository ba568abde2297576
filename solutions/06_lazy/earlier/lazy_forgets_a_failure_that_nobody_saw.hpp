// Wrong: Lazy drops the outcome of a run that failed when everybody had left; bites whoever comes
// next: fn runs a second time.
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
Result<T> call_lazily(Fn<Result<T>(const Context&)>& fn, const Context& context) {
  try {
    return fn(context);
  } catch (...) {
    return std::unexpected(error_from_current_exception());
  }
}

}  // namespace detail

// fn gets a context that ends when everybody who waited has left.
template <class T>
class Lazy {
 public:
  explicit Lazy(Fn<Result<T>(const Context&)> fn)
      : state_(std::make_shared<State>(std::move(fn))) {}
  Lazy(const Lazy&) = delete;
  Lazy& operator=(const Lazy&) = delete;

  Result<T> await(const Context& ctx) {
    const auto state = state_;
    std::unique_lock lock(state->mutex);
    ++state->waiting;
    while (true) {
      if (!state->outcome && !state->scope) {
        state->scope = std::make_shared<CancelSource>(with_cancel(Context::background()));
        spawn([state, scope = state->scope] { state->run(*scope); });
      }
      const auto scope = state->scope;
      const bool woken = state->over.wait(lock, ctx.stop_token(), [&] {
        return state->outcome.has_value() || state->scope != scope;
      });
      if (state->outcome) {
        --state->waiting;
        lock.unlock();
        return *state->outcome;
      }
      if (woken) continue;  // that run was called off before we came
      const bool last = --state->waiting == 0;
      lock.unlock();
      if (last && scope) scope->cancel();
      return std::unexpected(*ctx.error());
    }
  }

 private:
  struct State {
    explicit State(Fn<Result<T>(const Context&)> f) : fn(std::move(f)) {}

    void run(CancelSource& mine) {
      auto result = detail::call_lazily<T>(fn, mine.context());
      std::shared_ptr<CancelSource> old;  // destroyed without the lock
      const std::lock_guard lock(mutex);
      old = std::exchange(scope, nullptr);
      // What fn says when it was called off is no outcome.
      if (result || !mine.context().done()) outcome.emplace(std::move(result));
      over.notify_all();
    }

    std::mutex mutex;
    std::condition_variable_any over;
    Fn<Result<T>(const Context&)> fn;
    std::shared_ptr<CancelSource> scope;  // of the run that is under way
    int waiting = 0;
    std::optional<Result<T>> outcome;
  };

  std::shared_ptr<State> state_;
};

// fn gets a context that never ends, too.
template <class T>
class RetryLazy {
 public:
  explicit RetryLazy(Fn<Result<T>(const Context&)> fn)
      : state_(std::make_shared<State>(std::move(fn))) {}
  RetryLazy(const RetryLazy&) = delete;
  RetryLazy& operator=(const RetryLazy&) = delete;

  Result<T> await(const Context& ctx) {
    const auto state = state_;
    std::unique_lock lock(state->mutex);
    auto attempt = state->attempt;
    if (!attempt) {
      attempt = std::make_shared<Attempt>();
      spawn([state, attempt] { state->run(attempt); });
      state->attempt = attempt;
    }
    if (!state->over.wait(lock, ctx.stop_token(), [&] { return attempt->outcome.has_value(); })) {
      return std::unexpected(*ctx.error());
    }
    lock.unlock();
    return *attempt->outcome;
  }

 private:
  struct Attempt {
    std::optional<Result<T>> outcome;
  };

  struct State {
    explicit State(Fn<Result<T>(const Context&)> f) : fn(std::move(f)) {}

    void run(const std::shared_ptr<Attempt>& mine) {
      auto result = detail::call_lazily<T>(fn, Context::background());
      const std::lock_guard lock(mutex);
      // A success stays where it is: whoever comes later "joins" an attempt that is over.
      if (!result) attempt.reset();
      mine->outcome.emplace(std::move(result));
      over.notify_all();
    }

    std::mutex mutex;
    std::condition_variable_any over;
    Fn<Result<T>(const Context&)> fn;
    std::shared_ptr<Attempt> attempt;  // that runs, or that has succeeded
  };

  std::shared_ptr<State> state_;
};

}  // namespace futures
