// Wrong: waits until the context's deadline by itself and then asks the context why it ended, which
// it has not yet; bites when the awaiter wakes up before the context's timer has fired: *nullopt.
#pragma once

#include <condition_variable>
#include <cstdio>
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
std::pair<Future<T>, Resolver<T>> make_future_under(const Context& parent);

template <class T>
class FutureState {
 public:
  using Callback = Fn<void(const Result<T>&)>;

  explicit FutureState(const Context& parent) : producer_(with_cancel(parent)) {}

  bool settle(Result<T> outcome) {
    std::vector<Callback> callbacks;
    {
      const std::lock_guard lock(mutex_);
      if (outcome_) return false;
      outcome_.emplace(std::move(outcome));
      callbacks = std::exchange(callbacks_, {});
    }
    settled_.notify_all();
    for (auto& callback : callbacks) run(std::move(callback));
    return true;
  }

  Result<T> await(const Context& context) {
    const auto there = [this] { return outcome_.has_value(); };
    std::unique_lock lock(mutex_);
    const auto deadline = context.deadline();
    const bool settled = deadline
                             ? settled_.wait_until(lock, context.stop_token(), *deadline, there)
                             : settled_.wait(lock, context.stop_token(), there);
    if (!settled) return std::unexpected(*context.error());
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
    run(std::move(callback));
  }

  void cancel() {
    if (!settled()) producer_.cancel();
  }

  const Context& context() const { return producer_.context(); }

 private:
  void run(Callback callback) const {
    try {
      callback(*outcome_);
    } catch (...) {
      const Error error = error_from_current_exception();
      std::fprintf(stderr, "an exception escaped from an on_settled callback: %s\n",
                   error.message.c_str());
    }
  }

  CancelSource producer_;
  mutable std::mutex mutex_;
  std::condition_variable_any settled_;
  std::vector<Callback> callbacks_;
  std::optional<Result<T>> outcome_;
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
    const auto state = state_;
    if (state) {
      state->on_settled(std::move(callback));
    } else {
      callback(invalid());
    }
  }

  void cancel() const {
    if (const auto state = state_) state->cancel();
  }

 private:
  friend std::pair<Future<T>, Resolver<T>> detail::make_future_under<T>(const Context&);
  explicit Future(std::shared_ptr<detail::FutureState<T>> state) : state_(std::move(state)) {}

  static Result<T> invalid() {
    return std::unexpected(Error{Errc::invalid_argument, "the handle refers to no future"});
  }

  std::shared_ptr<detail::FutureState<T>> state_;
};

template <class T>
class Resolver {
 public:
  Resolver(Resolver&&) noexcept = default;
  Resolver& operator=(Resolver&& other) noexcept {
    Resolver old(std::move(other));
    std::swap(state_, old.state_);
    return *this;
  }
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  ~Resolver() {
    if (state_ && !state_->settled()) {
      reject(Error{Errc::broken_promise, "the resolver went away without settling its future"});
    }
  }

  bool resolve(T value) { return settle(Result<T>(std::in_place, std::move(value))); }
  bool reject(Error error) { return settle(std::unexpected(std::move(error))); }

  Context context() const { return state_ ? state_->context() : Context::background(); }

 private:
  friend std::pair<Future<T>, Resolver<T>> detail::make_future_under<T>(const Context&);
  explicit Resolver(std::shared_ptr<detail::FutureState<T>> state) : state_(std::move(state)) {}

  bool settle(Result<T> outcome) {
    const auto state = state_;
    return state && state->settle(std::move(outcome));
  }

  std::shared_ptr<detail::FutureState<T>> state_;
};

template <class T>
std::pair<Future<T>, Resolver<T>> detail::make_future_under(const Context& parent) {
  auto state = std::make_shared<FutureState<T>>(parent);
  return {Future<T>(state), Resolver<T>(state)};
}

template <class T>
std::pair<Future<T>, Resolver<T>> make_future() {
  return detail::make_future_under<T>(Context::background());
}

template <class T>
Future<T> go(const Context& context, Fn<Result<T>(const Context&)> fn) {
  auto [future, resolver] = detail::make_future_under<T>(context);
  spawn([fn = std::move(fn), writer = std::move(resolver)]() mutable {
    Result<T> outcome = [&]() -> Result<T> {
      try {
        return std::exchange(fn, nullptr)(writer.context());
      } catch (...) {
        return std::unexpected(error_from_current_exception());
      }
    }();
    if (outcome) {
      writer.resolve(*std::move(outcome));
    } else {
      writer.reject(std::move(outcome).error());
    }
  });
  return future;
}

}  // namespace futures
