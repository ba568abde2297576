// Wrong: an error that is there gives way to an ended context; bites when both are true.
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

// Which context fn gets: one that never ends. An awaiter's patience is its own affair.

namespace detail {

template <class T>
using LazyFn = Fn<Result<T>(const Context&)>;

template <class T>
std::shared_ptr<const Result<T>> run_lazy(LazyFn<T>& fn) {
  try {
    return std::make_shared<const Result<T>>(fn(Context::background()));
  } catch (...) {
    return std::make_shared<const Result<T>>(std::unexpected(error_from_current_exception()));
  }
}

inline Error no_thread() { return Error{Errc::unavailable, "there is no thread for fn"}; }

}  // namespace detail

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
    if (!state->started) {
      try {
        spawn([state] { state->run(); });
      } catch (...) {
        return std::unexpected(detail::no_thread());
      }
      state->started = true;
    }
    if (!(state->outcome && state->outcome->has_value())) {
      // There is no value: it may not be worth a wait.
      if (auto why = ctx.error()) return std::unexpected(*std::move(why));
    }
    // The predicate comes first: an outcome that arrives beats a context that ends.
    if (!state->wake.wait(lock, ctx.stop_token(), [&] { return state->outcome != nullptr; })) {
      return std::unexpected(*ctx.error());
    }
    const auto outcome = state->outcome;
    lock.unlock();
    return *outcome;  // copied without the lock: T's copy constructor is the caller's code
  }

 private:
  struct State {
    explicit State(detail::LazyFn<T> f) : fn(std::move(f)) {}

    void run() {
      auto result = detail::run_lazy<T>(fn);
      fn = nullptr;
      const std::lock_guard lock(mutex);
      outcome = std::move(result);
      wake.notify_all();
    }

    detail::LazyFn<T> fn;  // touched by the one thread that runs it
    std::mutex mutex;
    std::condition_variable_any wake;
    bool started = false;  // guarded by mutex, as all below
    std::shared_ptr<const Result<T>> outcome;
  };

  std::shared_ptr<State> state_;
};

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
    if (!state->value && !state->attempt) {
      auto attempt = std::make_shared<Attempt>();
      try {
        spawn([state, attempt] { state->run(*attempt); });
      } catch (...) {
        return std::unexpected(detail::no_thread());
      }
      state->attempt = std::move(attempt);
    }
    auto outcome = state->value;
    if (!outcome) {
      const auto mine = state->attempt;
      if (!state->wake.wait(lock, ctx.stop_token(), [&] { return mine->outcome != nullptr; })) {
        return std::unexpected(*ctx.error());
      }
      outcome = mine->outcome;
    }
    lock.unlock();
    return *outcome;
  }

 private:
  struct Attempt {
    std::shared_ptr<const Result<T>> outcome;  // guarded by State::mutex
  };

  struct State {
    explicit State(detail::LazyFn<T> f) : fn(std::move(f)) {}

    void run(Attempt& mine) {
      auto result = detail::run_lazy<T>(fn);
      const std::lock_guard lock(mutex);
      mine.outcome = result;
      if (result->has_value()) value = std::move(result);
      attempt = nullptr;
      wake.notify_all();
    }

    detail::LazyFn<T> fn;  // touched by the one thread that runs the attempt of the day
    std::mutex mutex;
    std::condition_variable_any wake;
    std::shared_ptr<const Result<T>> value;  // guarded by mutex, as all below
    std::shared_ptr<Attempt> attempt;        // the one that is running
  };

  std::shared_ptr<State> state_;
};

}  // namespace futures
