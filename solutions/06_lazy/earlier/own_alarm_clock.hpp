// Wrong: waits until the context's deadline by itself and then asks the context why it ended, which
// it has not yet; bites when the awaiter wakes up before the context's timer has fired: *nullopt.
#pragma once

#include <condition_variable>
#include <cstddef>
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
void run_into(std::optional<Result<T>>& result, Fn<Result<T>(const Context&)>& fn,
              const Context& context) {
  try {
    result.emplace(fn(context));
  } catch (...) {
    result.emplace(std::unexpected(error_from_current_exception()));
  }
}

}  // namespace detail

template <class T>
class Lazy {
 public:
  explicit Lazy(Fn<Result<T>(const Context&)> fn)
      : state_(std::make_shared<State>(std::move(fn))) {}
  Lazy(const Lazy&) = delete;
  Lazy& operator=(const Lazy&) = delete;

  Result<T> await(const Context& ctx) {
    State& state = *state_;
    std::unique_lock lock(state.mutex);
    if (!state.started && !ctx.done()) start();
    const auto finished = [&] { return state.finished; };
    const auto deadline = ctx.deadline();
    const bool in_time =
        deadline ? state.finished_changed.wait_until(lock, ctx.stop_token(), *deadline, finished)
                 : state.finished_changed.wait(lock, ctx.stop_token(), finished);
    if (!in_time) return std::unexpected(*ctx.error());
    lock.unlock();
    return *state.result;
  }

 private:
  struct State {
    explicit State(Fn<Result<T>(const Context&)> f) : fn(std::move(f)) {}

    std::mutex mutex;
    std::condition_variable_any finished_changed;
    bool started = false;
    bool finished = false;
    Fn<Result<T>(const Context&)> fn;
    std::optional<Result<T>> result;
  };

  void start() {
    spawn([state = state_, context = lifetime_.context()] {
      detail::run_into(state->result, state->fn, context);
      state->fn = nullptr;
      const std::lock_guard lock(state->mutex);
      state->finished = true;
      state->finished_changed.notify_all();
    });
    state_->started = true;
  }

  std::shared_ptr<State> state_;
  CancelSource lifetime_ = with_cancel(Context::background());
};

template <class T>
class RetryLazy {
 public:
  explicit RetryLazy(Fn<Result<T>(const Context&)> fn)
      : state_(std::make_shared<State>(std::move(fn))) {}
  RetryLazy(const RetryLazy&) = delete;
  RetryLazy& operator=(const RetryLazy&) = delete;

  Result<T> await(const Context& ctx) {
    State& state = *state_;
    std::unique_lock lock(state.mutex);
    while (true) {
      if (!state.attempt && ctx.done()) return std::unexpected(*ctx.error());
      if (!state.attempt) start();
      const std::shared_ptr<Attempt> attempt = state.attempt;
      const bool joined = !attempt->abandoned;
      ++attempt->awaiters;
      const bool finished =
          state.finished_changed.wait(lock, ctx.stop_token(), [&] { return attempt->finished; });
      --attempt->awaiters;
      if (!finished) {
        leave(lock, *attempt);
        return std::unexpected(*ctx.error());
      }
      if (joined || attempt->result->has_value()) {
        lock.unlock();
        return *attempt->result;
      }
    }
  }

 private:
  struct Attempt {
    std::size_t awaiters = 0;
    bool abandoned = false;
    bool finished = false;
    std::optional<Result<T>> result;
    CancelSource lifetime = with_cancel(Context::background());
  };

  struct State {
    explicit State(Fn<Result<T>(const Context&)> f) : fn(std::move(f)) {}

    std::mutex mutex;
    std::condition_variable_any finished_changed;
    std::shared_ptr<Attempt> attempt;
    Fn<Result<T>(const Context&)> fn;
  };

  void start() {
    auto attempt = std::make_shared<Attempt>();
    spawn([state = state_, attempt] {
      detail::run_into(attempt->result, state->fn, attempt->lifetime.context());
      const std::lock_guard lock(state->mutex);
      attempt->finished = true;
      if (!attempt->result->has_value()) state->attempt = nullptr;
      state->finished_changed.notify_all();
    });
    state_->attempt = std::move(attempt);
  }

  static void leave(std::unique_lock<std::mutex>& lock, Attempt& attempt) {
    if (attempt.awaiters > 0) return;
    attempt.abandoned = true;
    lock.unlock();
    attempt.lifetime.cancel(
        Error{Errc::cancelled, "everybody who waited for this attempt has left"});
  }

  std::shared_ptr<State> state_;
};

}  // namespace futures
