// cancel() goes by a flag that is set after the callbacks: one of them may still end the context.
#pragma once

#include <atomic>
#include <condition_variable>
#include <expected>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// What the two ends share. Whoever calls a member holds a shared_ptr meanwhile.
template <class T>
class FutureState {
 public:
  using Callback = Fn<void(const Result<T>&)>;

  explicit FutureState(CancelSource source) : source_(std::move(source)) {}

  bool settle(Result<T>&& outcome) {
    auto made = std::make_unique<const Result<T>>(std::move(outcome));
    std::vector<Callback> callbacks;
    {
      const std::lock_guard lock(mutex_);
      if (result_) return false;
      result_ = std::move(made);
      callbacks.swap(callbacks_);
      changed_.notify_all();
    }
    for (Callback& callback : callbacks) run(std::exchange(callback, nullptr));
    over_.store(true, std::memory_order_release);
    return true;
  }

  Result<T> await(const Context& context) const {
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, context.stop_token(), [this] { return result_ != nullptr; })) {
        return std::unexpected(*context.error());
      }
    }
    return *result_;  // constant once it is there
  }

  bool settled() const {
    const std::lock_guard lock(mutex_);
    return result_ != nullptr;
  }

  void on_settled(Callback callback) {
    {
      const std::lock_guard lock(mutex_);
      if (!result_) {
        callbacks_.push_back(std::move(callback));
        return;
      }
    }
    run(std::move(callback));
  }

  void cancel() {
    if (!over_.load(std::memory_order_acquire)) source_.cancel();
  }

  const Context& context() const { return source_.context(); }

 private:
  void run(Callback callback) const {
    try {
      callback(*result_);
    } catch (...) {
      // the end of this callback, and of nothing else
    }
  }

  mutable std::mutex mutex_;
  mutable std::condition_variable_any changed_;
  std::unique_ptr<const Result<T>> result_;  // guarded by mutex_ until it is there
  std::vector<Callback> callbacks_;          // guarded by mutex_
  CancelSource source_;
  std::atomic<bool> over_ = false;  // there is nothing left to cancel
};

}  // namespace detail

template <class T>
class Resolver;

template <class T>
class Future {
 public:
  Future() = default;

  Result<T> await(const Context& context) const {
    const auto state = state_;
    if (!state) return std::unexpected(empty());
    return state->await(context);
  }

  bool settled() const { return !state_ || state_->settled(); }

  void on_settled(Fn<void(const Result<T>&)> callback) const {
    const auto state = state_;  // the callback may drop the last handle
    if (state) {
      state->on_settled(std::move(callback));
      return;
    }
    try {
      std::exchange(callback, nullptr)(Result<T>(std::unexpect, empty()));
    } catch (...) {
      // the end of this callback, and of nothing else
    }
  }

  void cancel() const {
    if (const auto state = state_) state->cancel();
  }

 private:
  template <class U>
  friend std::pair<Future<U>, Resolver<U>> make_future();
  template <class U>
  friend Future<U> go(const Context& context, Fn<Result<U>(const Context&)> fn);

  explicit Future(std::shared_ptr<detail::FutureState<T>> state) : state_(std::move(state)) {}

  static Error empty() { return Error{Errc::invalid_argument, "the future is empty"}; }

  std::shared_ptr<detail::FutureState<T>> state_;
};

template <class T>
class Resolver {
 public:
  Resolver(Resolver&& other) noexcept : state_(std::move(other.state_)) {}
  Resolver& operator=(Resolver&& other) noexcept {
    if (this != &other) abandon(std::exchange(state_, std::move(other.state_)));
    return *this;
  }
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  ~Resolver() { abandon(std::move(state_)); }

  bool resolve(T value) {
    const auto state = state_;  // a callback may destroy this resolver
    return state && state->settle(Result<T>(std::in_place, std::move(value)));
  }

  bool reject(Error error) {
    const auto state = state_;
    return state && state->settle(Result<T>(std::unexpect, std::move(error)));
  }

  Context context() const { return state_ ? state_->context() : Context::background(); }

 private:
  template <class U>
  friend std::pair<Future<U>, Resolver<U>> make_future();
  template <class U>
  friend Future<U> go(const Context& context, Fn<Result<U>(const Context&)> fn);

  explicit Resolver(std::shared_ptr<detail::FutureState<T>> state) : state_(std::move(state)) {}

  static void abandon(std::shared_ptr<detail::FutureState<T>> state) {
    if (!state || state->settled()) return;
    state->settle(Result<T>(
        std::unexpect,
        Error{Errc::broken_promise, "the resolver went away without settling its future"}));
  }

  std::shared_ptr<detail::FutureState<T>> state_;
};

template <class T>
std::pair<Future<T>, Resolver<T>> make_future() {
  const auto state = std::make_shared<detail::FutureState<T>>(with_cancel(Context::background()));
  return {Future<T>(state), Resolver<T>(state)};
}

template <class T>
Future<T> go(const Context& context, Fn<Result<T>(const Context&)> fn) {
  const auto state = std::make_shared<detail::FutureState<T>>(with_cancel(context));
  spawn([fn = std::move(fn), resolver = Resolver<T>(state)]() mutable {
    try {
      Result<T> outcome = std::exchange(fn, nullptr)(resolver.context());
      if (outcome) {
        resolver.resolve(*std::move(outcome));
      } else {
        resolver.reject(std::move(outcome).error());
      }
    } catch (...) {
      resolver.reject(error_from_current_exception());
    }
  });
  return Future<T>(state);
}

}  // namespace futures
