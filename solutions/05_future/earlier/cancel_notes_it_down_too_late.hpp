// Wrong: cancel() writes into the state after it has run the producer's stop callbacks; bites when
// one of them settles, and a callback drops the last handles.
#pragma once

#include <atomic>
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

template <class T>
class Future;
template <class T>
class Resolver;
template <class T>
std::pair<Future<T>, Resolver<T>> make_future();
template <class T>
Future<T> go(const Context& context, Fn<Result<T>(const Context&)> fn);

namespace detail {

// What the two ends share. Whoever runs callbacks holds a shared_ptr of their own meanwhile.
template <class T>
class FutureState {
 public:
  using Callback = Fn<void(const Result<T>&)>;

  explicit FutureState(const Context& parent) : source_(with_cancel(parent)) {}

  bool settle(Result<T> outcome) {
    std::vector<Callback> callbacks;
    {
      const std::lock_guard lock(mutex_);
      if (result_) return false;
      result_.emplace(std::move(outcome));
      callbacks.swap(callbacks_);
      settled_.notify_all();
    }
    for (auto& callback : callbacks) run(std::exchange(callback, nullptr));
    return true;
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

  Result<T> await(const Context& context) {
    std::unique_lock lock(mutex_);
    if (!settled_.wait(lock, context.stop_token(), [this] { return result_.has_value(); })) {
      return std::unexpected(*context.error());
    }
    lock.unlock();
    return *result_;  // never changes again
  }

  bool settled() const {
    const std::lock_guard lock(mutex_);
    return result_.has_value();
  }

  // Many may cancel; the tree of contexts is walked once.
  void cancel() {
    if (cancelled_.load() || settled()) return;
    source_.cancel();
    cancelled_.store(true);  // only now: whoever finds it set relies on the context having ended
  }

  Context context() const { return source_.context(); }

 private:
  void run(Callback callback) {
    try {
      callback(*result_);
    } catch (...) {
      // The end of this callback, and of nothing else.
    }
  }

  mutable std::mutex mutex_;
  std::condition_variable_any settled_;
  std::optional<Result<T>> result_;  // guarded by mutex_ until it is set; constant from then on
  std::vector<Callback> callbacks_;  // guarded by mutex_
  CancelSource source_;
  std::atomic<bool> cancelled_{false};
};

}  // namespace detail

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
    const auto state = state_;  // the callback may drop this handle
    if (state) {
      state->on_settled(std::move(callback));
      return;
    }
    try {
      callback(std::unexpected(empty()));
    } catch (...) {
      // The end of this callback, and of nothing else.
    }
  }

  void cancel() const {
    if (state_) state_->cancel();
  }

 private:
  friend std::pair<Future<T>, Resolver<T>> make_future<T>();
  friend Future<T> go<T>(const Context& context, Fn<Result<T>(const Context&)> fn);
  explicit Future(std::shared_ptr<detail::FutureState<T>> state) : state_(std::move(state)) {}

  static Error empty() { return Error{Errc::invalid_argument, "an empty future"}; }

  std::shared_ptr<detail::FutureState<T>> state_;
};

template <class T>
class Resolver {
 public:
  Resolver(Resolver&& other) noexcept = default;
  Resolver& operator=(Resolver&& other) noexcept {
    if (this != &other) {
      const auto old = std::exchange(state_, std::move(other.state_));
      if (old) old->settle(std::unexpected(broken()));
    }
    return *this;
  }
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  ~Resolver() {
    if (const auto state = std::move(state_)) state->settle(std::unexpected(broken()));
  }

  bool resolve(T value) {
    const auto state = state_;  // a callback may destroy this resolver
    return state && state->settle(Result<T>(std::in_place, std::move(value)));
  }

  bool reject(Error error) {
    const auto state = state_;
    return state && state->settle(std::unexpected(std::move(error)));
  }

  Context context() const { return state_->context(); }

 private:
  friend std::pair<Future<T>, Resolver<T>> make_future<T>();
  friend Future<T> go<T>(const Context& context, Fn<Result<T>(const Context&)> fn);
  explicit Resolver(std::shared_ptr<detail::FutureState<T>> state) : state_(std::move(state)) {}

  static Error broken() {
    return Error{Errc::broken_promise, "the resolver went away without settling its future"};
  }

  std::shared_ptr<detail::FutureState<T>> state_;
};

template <class T>
std::pair<Future<T>, Resolver<T>> make_future() {
  auto state = std::make_shared<detail::FutureState<T>>(Context::background());
  return {Future<T>(state), Resolver<T>(state)};
}

template <class T>
Future<T> go(const Context& context, Fn<Result<T>(const Context&)> fn) {
  auto state = std::make_shared<detail::FutureState<T>>(context);
  Future<T> future(state);
  spawn([resolver = Resolver<T>(std::move(state)), fn = std::move(fn)]() mutable {
    const Context ctx = resolver.context();
    try {
      Result<T> outcome = fn(ctx);
      if (outcome) {
        resolver.resolve(*std::move(outcome));
      } else {
        resolver.reject(std::move(outcome).error());
      }
    } catch (...) {
      resolver.reject(error_from_current_exception());
    }
  });
  return future;
}

}  // namespace futures
