// Wrong: queues what is registered while callbacks run; bites when a callback registers another one
// and relies on it having run at once, the future being settled.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

template <class T>
class Future;
template <class T>
class Resolver;

namespace detail {

template <class T>
class FutureState {
 public:
  using Callback = Fn<void(const Result<T>&)>;

  explicit FutureState(CancelSource source) : source_(std::move(source)) {}

  // Static, with a handle of its own: a callback may drop every other one.
  static bool settle(std::shared_ptr<FutureState> self, std::unique_ptr<const Result<T>> result) {
    {
      const std::lock_guard lock(self->mutex_);
      if (self->result_) return false;
      self->result_ = std::move(result);
      self->running_ = true;
      self->changed_.notify_all();
    }
    while (true) {
      Callback next;
      {
        const std::lock_guard lock(self->mutex_);
        if (self->callbacks_.empty()) {
          self->running_ = false;
          return true;
        }
        next = std::move(self->callbacks_.front());
        self->callbacks_.pop_front();
      }
      run(std::move(next), *self->result_);
    }
  }

  Result<T> await(const Context& context) {
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, context.stop_token(), [this] { return result_ != nullptr; })) {
        return std::unexpected(*context.error());
      }
    }
    return *result_;  // never changes again
  }

  bool settled() {
    const std::lock_guard lock(mutex_);
    return result_ != nullptr;
  }

  void on_settled(Callback callback) {
    {
      const std::lock_guard lock(mutex_);
      if (!result_ || running_) {  // in the order of registration, and no recursion
        callbacks_.push_back(std::move(callback));
        return;
      }
    }
    run(std::move(callback), *result_);
  }

  void cancel() {
    if (!settled()) source_.cancel();
  }

  Context context() const { return source_.context(); }

 private:
  static void run(Callback callback, const Result<T>& result) noexcept {
    try {
      callback(result);
    } catch (...) {
      // The end of this callback, and of nothing else.
    }
  }

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::unique_ptr<const Result<T>> result_;  // guarded by mutex_ until it is there
  std::deque<Callback> callbacks_;           // guarded by mutex_
  bool running_ = false;                     // guarded by mutex_: callbacks are being run
  CancelSource source_;
};

template <class T>
std::pair<Future<T>, Resolver<T>> make_future_under(const Context& context);

}  // namespace detail

template <class T>
class Future {
 public:
  Future() = default;

  Result<T> await(const Context& context) const {
    const auto state = state_;
    if (!state) return std::unexpected(empty_error());
    return state->await(context);
  }

  bool settled() const {
    const auto state = state_;
    return !state || state->settled();
  }

  void on_settled(Fn<void(const Result<T>&)> callback) const {
    if (const auto state = state_) {
      state->on_settled(std::move(callback));
      return;
    }
    try {
      std::exchange(callback, nullptr)(Result<T>(std::unexpect, empty_error()));
    } catch (...) {
    }
  }

  void cancel() const {
    if (const auto state = state_) state->cancel();
  }

 private:
  friend std::pair<Future<T>, Resolver<T>> detail::make_future_under<T>(const Context& context);
  explicit Future(std::shared_ptr<detail::FutureState<T>> state) : state_(std::move(state)) {}

  static Error empty_error() { return Error{Errc::invalid_argument, "this future is empty"}; }

  std::shared_ptr<detail::FutureState<T>> state_;
};

template <class T>
class Resolver {
 public:
  Resolver(Resolver&&) noexcept = default;
  Resolver& operator=(Resolver&& other) noexcept {
    if (this != &other) {
      // Both handles are in place before a callback can look at them.
      abandon(std::exchange(state_, std::exchange(other.state_, nullptr)));
    }
    return *this;
  }
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  ~Resolver() { abandon(std::move(state_)); }

  bool resolve(T value) {
    return settle(state_, std::make_unique<const Result<T>>(std::in_place, std::move(value)));
  }

  bool reject(Error error) {
    return settle(state_, std::make_unique<const Result<T>>(std::unexpect, std::move(error)));
  }

  Context context() const { return state_ ? state_->context() : Context::background(); }

 private:
  using State = std::shared_ptr<detail::FutureState<T>>;

  friend std::pair<Future<T>, Resolver<T>> detail::make_future_under<T>(const Context& context);
  explicit Resolver(State state) : state_(std::move(state)) {}

  static bool settle(State state, std::unique_ptr<const Result<T>> result) {
    return state && detail::FutureState<T>::settle(std::move(state), std::move(result));
  }

  static void abandon(State state) {
    settle(std::move(state),
           std::make_unique<const Result<T>>(
               std::unexpect, Error{Errc::broken_promise, "the resolver went away"}));
  }

  State state_;
};

template <class T>
std::pair<Future<T>, Resolver<T>> detail::make_future_under(const Context& context) {
  auto state = std::make_shared<FutureState<T>>(with_cancel(context));
  return {Future<T>(state), Resolver<T>(state)};
}

template <class T>
std::pair<Future<T>, Resolver<T>> make_future() {
  return detail::make_future_under<T>(Context::background());
}

template <class T>
Future<T> go(const Context& context, Fn<Result<T>(const Context&)> fn) {
  auto [future, resolver] = detail::make_future_under<T>(context);
  spawn([resolver = std::move(resolver), fn = std::move(fn)]() mutable {
    const Context own = resolver.context();
    const auto call = [&fn, &own]() -> Result<T> {
      try {
        return fn(own);
      } catch (...) {
        return std::unexpected(error_from_current_exception());
      }
    };
    try {
      Result<T> result = call();
      fn = nullptr;
      if (result) {
        resolver.resolve(*std::move(result));
      } else {
        resolver.reject(std::move(result).error());
      }
    } catch (...) {  // T's own move
      resolver.reject(error_from_current_exception());
    }
  });
  return future;
}

}  // namespace futures
