// Right: std::call_once starts fn and std::shared_future carries the outcome. A future knows
// nothing of contexts, so awaiters look at both in turn. RetryLazy runs an attempt under the
// context of the one who started it; those who joined get its error.
#pragma once

#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

template <class T>
Result<T> call(Fn<Result<T>(const Context&)>& fn, const Context& ctx) {
  try {
    return fn(ctx);
  } catch (...) {
    return std::unexpected(error_from_current_exception());
  }
}

template <class T>
bool ready(const std::shared_future<T>& future) {
  return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

template <class T>
Result<T> poll(const std::shared_future<Result<T>>& future, const Context& ctx) {
  while (true) {
    const bool ended = ctx.done();  // before the last look, so that a value wins
    if (ready(future)) return future.get();
    if (ended) return std::unexpected(*ctx.error());
    future.wait_for(std::chrono::milliseconds(1));
  }
}

}  // namespace detail

template <class T>
class Lazy {
 public:
  explicit Lazy(Fn<Result<T>(const Context&)> fn)
      : state_(std::make_shared<State>(std::move(fn))) {}

  Result<T> await(const Context& ctx) {
    std::call_once(state_->once, [&] {
      spawn([state = state_] {
        state->promise.set_value(detail::call(state->fn, Context::background()));
      });
    });
    return detail::poll(state_->future, ctx);
  }

 private:
  struct State {
    explicit State(Fn<Result<T>(const Context&)> f) : fn(std::move(f)) {}
    std::once_flag once;
    Fn<Result<T>(const Context&)> fn;
    std::promise<Result<T>> promise;
    std::shared_future<Result<T>> future = promise.get_future();
  };
  std::shared_ptr<State> state_;
};

template <class T>
class RetryLazy {
 public:
  explicit RetryLazy(Fn<Result<T>(const Context&)> fn)
      : fn_(std::make_shared<Fn<Result<T>(const Context&)>>(std::move(fn))) {}

  Result<T> await(const Context& ctx) {
    const auto future = current(ctx);
    return detail::poll(future, ctx);
  }

 private:
  // The attempt that is running or has succeeded, or a new one.
  std::shared_future<Result<T>> current(const Context& ctx) {
    const std::lock_guard lock(mutex_);
    const bool usable = current_.valid() && !(detail::ready(current_) && !current_.get());
    if (!usable) {
      std::promise<Result<T>> promise;
      current_ = promise.get_future();
      spawn([fn = fn_, ctx, promise = std::move(promise)]() mutable {
        promise.set_value(detail::call(*fn, ctx));
      });
    }
    return current_;
  }

  std::shared_ptr<Fn<Result<T>(const Context&)>> fn_;
  std::mutex mutex_;
  std::shared_future<Result<T>> current_;
};

}  // namespace futures
