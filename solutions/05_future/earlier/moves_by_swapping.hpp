// Wrong: move assignment swaps, so that the old future lives on in the resolver that was moved
// from; bites when that one stays in scope after `a = std::move(b)`: a's old future stays pending
// until b is destroyed, and b can still settle it. (With a temporary on the right nobody notices.)
#pragma once

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

namespace detail {

template <class T>
std::pair<Future<T>, Resolver<T>> make_child_future(const Context& parent);

// What both ends share. Whoever calls a member holds a shared_ptr of their own meanwhile.
template <class T>
class SharedState {
 public:
  using Callback = Fn<void(const Result<T>&)>;

  explicit SharedState(const Context& parent) : source_(with_cancel(parent)) {}

  // By reference: an outcome that comes too late is destroyed by the caller, outside of the lock.
  bool settle(Result<T>&& outcome) {
    std::vector<Callback> callbacks;
    {
      const std::lock_guard lock(mutex_);
      if (outcome_) return false;
      outcome_.emplace(std::move(outcome));
      callbacks.swap(callbacks_);
      changed_.notify_all();
    }
    for (Callback& waiting : callbacks) {
      Callback callback = std::move(waiting);  // gone once it has run
      call(callback);
    }
    return true;
  }

  Result<T> await(const Context& context) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait(lock, context.stop_token(), [this] { return outcome_.has_value(); })) {
      return std::unexpected(*context.error());
    }
    lock.unlock();
    return *outcome_;
  }

  bool settled() const {
    const std::lock_guard lock(mutex_);
    return outcome_.has_value();
  }

  void on_settled(Callback callback) {
    {
      const std::lock_guard lock(mutex_);
      if (!outcome_) {
        callbacks_.push_back(std::move(callback));
        return;
      }
    }
    call(callback);
  }

  void cancel() {
    if (!settled()) source_.cancel();
  }

  Context context() const { return source_.context(); }

 private:
  void call(Callback& callback) const {
    try {
      callback(*outcome_);
    } catch (...) {
      // The others still have their turn.
    }
  }

  CancelSource source_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<Callback> callbacks_;   // guarded by mutex_
  std::optional<Result<T>> outcome_;  // written once, under mutex_
};

}  // namespace detail

template <class T>
class Future {
 public:
  Future() = default;

  Result<T> await(const Context& context) const {
    const auto state = state_;
    return state ? state->await(context) : invalid();
  }

  bool settled() const { return !state_ || state_->settled(); }

  void on_settled(Fn<void(const Result<T>&)> callback) const {
    if (const auto state = state_) {
      state->on_settled(std::move(callback));
      return;
    }
    try {
      callback(invalid());
    } catch (...) {
      // As everywhere.
    }
  }

  void cancel() const {
    if (const auto state = state_) state->cancel();
  }

 private:
  friend std::pair<Future<T>, Resolver<T>> detail::make_child_future<T>(const Context&);
  explicit Future(std::shared_ptr<detail::SharedState<T>> state) : state_(std::move(state)) {}

  static Result<T> invalid() {
    return std::unexpected(Error{Errc::invalid_argument, "an empty future"});
  }

  std::shared_ptr<detail::SharedState<T>> state_;
};

template <class T>
class Resolver {
 public:
  Resolver(Resolver&&) noexcept = default;
  // Each keeps what the other had; the old future is taken care of by the other one's destructor.
  Resolver& operator=(Resolver&& other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  ~Resolver() {
    if (state_ && !state_->settled()) {
      reject(Error{Errc::broken_promise, "the resolver was dropped without settling"});
    }
  }

  bool resolve(T value) { return settle(Result<T>(std::in_place, std::move(value))); }
  bool reject(Error error) { return settle(Result<T>(std::unexpect, std::move(error))); }

  Context context() const { return state_ ? state_->context() : Context::background(); }

 private:
  friend std::pair<Future<T>, Resolver<T>> detail::make_child_future<T>(const Context&);
  explicit Resolver(std::shared_ptr<detail::SharedState<T>> state) : state_(std::move(state)) {}

  // A callback may destroy this resolver.
  bool settle(Result<T> outcome) {
    const auto state = state_;
    return state && state->settle(std::move(outcome));
  }

  std::shared_ptr<detail::SharedState<T>> state_;
};

template <class T>
std::pair<Future<T>, Resolver<T>> detail::make_child_future(const Context& parent) {
  auto state = std::make_shared<SharedState<T>>(parent);
  return {Future<T>(state), Resolver<T>(state)};
}

template <class T>
std::pair<Future<T>, Resolver<T>> make_future() {
  return detail::make_child_future<T>(Context::background());
}

template <class T>
Future<T> go(const Context& context, Fn<Result<T>(const Context&)> fn) {
  auto [future, resolver] = detail::make_child_future<T>(context);
  spawn([fn = std::move(fn), out = std::move(resolver)]() mutable {
    Result<T> outcome = [&]() -> Result<T> {
      try {
        return std::exchange(fn, nullptr)(out.context());
      } catch (...) {
        return std::unexpected(error_from_current_exception());
      }
    }();
    if (outcome) {
      out.resolve(*std::move(outcome));
    } else {
      out.reject(std::move(outcome).error());
    }
  });
  return future;
}

}  // namespace futures
