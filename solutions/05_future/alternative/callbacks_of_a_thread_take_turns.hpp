// Right: a callback that settles another future does not go deeper into the stack: that one's
// callbacks stand in line on their thread, and run when this one has returned.
#pragma once

#include <condition_variable>
#include <deque>
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

// Runs callbacks one after the other, so that a callback which settles the next future, whose
// callback settles the next, needs no deeper a stack than the first.
class CallbackLoop {
 public:
  static void run(Fn<void()> job) {
    auto& jobs = mine().jobs_;
    jobs.push_back(std::move(job));
    if (std::exchange(mine().running_, true)) return;  // further up on this stack
    while (!jobs.empty()) {
      auto next = std::move(jobs.front());
      jobs.pop_front();
      next();  // does not throw
    }
    mine().running_ = false;
  }

 private:
  static CallbackLoop& mine() {
    static thread_local CallbackLoop loop;
    return loop;
  }

  std::deque<Fn<void()>> jobs_;
  bool running_ = false;
};

// What the two ends share. Whoever calls a member holds a shared_ptr of their own meanwhile.
template <class T>
class FutureState : public std::enable_shared_from_this<FutureState<T>> {
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
    for (auto& callback : callbacks) {
      CallbackLoop::run(
          [self = this->shared_from_this(), callback = std::move(callback)]() mutable {
            self->run(std::move(callback));
          });
    }
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

  void cancel() {
    if (!settled()) source_.cancel();
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
    const auto state = state_;  // whoever is told to stop may drop this handle
    if (state) state->cancel();
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
