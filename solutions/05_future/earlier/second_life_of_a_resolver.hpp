// Wrong: a resolver notes for itself that it has settled, and keeps the note when another one is
// moved over it; bites when a resolver that has settled is given a second future by move assignment
// and goes away: that future is never rejected, whoever awaits it waits for ever.
#pragma once

#include <atomic>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
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

// Runs a callback and destroys it.
template <class T>
void run_callback(Fn<void(const Result<T>&)> parameter, const Result<T>& result) {
  // A local: when a parameter is destroyed is up to the caller.
  auto callback = std::move(parameter);
  try {
    callback(result);
  } catch (...) {
    // The end of this callback, and of nothing else.
  }
}

template <class T>
class FutureState {
 public:
  using Callback = Fn<void(const Result<T>&)>;

  explicit FutureState(const Context& parent) : source_(with_cancel(parent)) {}

  Context context() const { return source_.context(); }

  bool settled() const {
    const std::lock_guard lock(mutex_);
    return result_ != nullptr;
  }

  Result<T> await(const Context& context) {
    std::unique_lock lock(mutex_);
    if (!settled_.wait(lock, context.stop_token(), [this] { return result_ != nullptr; })) {
      return Result<T>(std::unexpect, *context.error());
    }
    lock.unlock();
    return *result_;  // does not change any more
  }

  bool settle(std::unique_ptr<const Result<T>> result) {
    std::list<Callback> callbacks;
    {
      const std::lock_guard lock(mutex_);
      if (result_) return false;
      result_ = std::move(result);
      callbacks.swap(callbacks_);
      settled_.notify_all();
    }
    while (!callbacks.empty()) {
      run_callback<T>(std::move(callbacks.front()), *result_);
      callbacks.pop_front();
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
    run_callback<T>(std::move(callback), *result_);
  }

  void cancel() {
    if (!settled()) source_.cancel();
  }

 private:
  CancelSource source_;
  mutable std::mutex mutex_;
  std::condition_variable_any settled_;
  std::unique_ptr<const Result<T>> result_;  // guarded by mutex_ until it is there
  std::list<Callback> callbacks_;            // guarded by mutex_
};

struct FutureFactory {
  template <class T>
  static std::pair<Future<T>, Resolver<T>> make(const Context& parent) {
    auto state = std::make_shared<FutureState<T>>(parent);
    Future<T> future(state);
    return {std::move(future), Resolver<T>(std::move(state))};
  }
};

inline Error empty_future() { return Error{Errc::invalid_argument, "the future is empty"}; }

template <class T>
void produce(Fn<Result<T>(const Context&)> parameter, Resolver<T> resolver) {
  std::optional<Result<T>> outcome;
  {
    auto fn = std::move(parameter);
    try {
      outcome.emplace(fn(resolver.context()));
    } catch (...) {
      outcome.emplace(std::unexpect, error_from_current_exception());
    }
  }
  try {
    if (outcome->has_value()) {
      resolver.resolve(**std::move(outcome));
    } else {
      resolver.reject(std::move(outcome->error()));
    }
  } catch (...) {  // the value could not be moved
    resolver.reject(error_from_current_exception());
  }
}

}  // namespace detail

// The right to read. An empty one behaves like one that was rejected with invalid_argument.
template <class T>
class Future {
 public:
  Future() = default;

  Result<T> await(const Context& context) const {
    const auto state = state_;
    if (!state) return Result<T>(std::unexpect, detail::empty_future());
    return state->await(context);
  }

  bool settled() const { return !state_ || state_->settled(); }

  void on_settled(Fn<void(const Result<T>&)> callback) const {
    if (const auto state = state_) {
      state->on_settled(std::move(callback));
    } else {
      detail::run_callback<T>(std::move(callback),
                              Result<T>(std::unexpect, detail::empty_future()));
    }
  }

  void cancel() const {
    // A copy: a stop callback may drop the last handle.
    if (const auto state = state_) state->cancel();
  }

 private:
  friend struct detail::FutureFactory;
  explicit Future(std::shared_ptr<detail::FutureState<T>> state) : state_(std::move(state)) {}

  std::shared_ptr<detail::FutureState<T>> state_;
};

// The right to write, once.
template <class T>
class Resolver {
 public:
  Resolver(Resolver&& other) noexcept
      : state_(std::move(other.state_)), used_(other.used_.load()) {}
  Resolver& operator=(Resolver&& other) noexcept {
    if (this != &other) {
      const bool owed = !used_;
      // First the handles, then the old future: its callbacks may do anything to this resolver.
      const auto old = std::exchange(state_, std::exchange(other.state_, nullptr));
      if (owed) give_up(old);
    }
    return *this;
  }
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  ~Resolver() {
    if (!used_) give_up(std::exchange(state_, nullptr));
  }

  bool resolve(T value) {
    const auto state = state_;  // a copy: a callback may destroy this resolver
    if (!state) return false;
    auto result = std::make_unique<const Result<T>>(std::in_place, std::move(value));
    used_ = true;
    return state->settle(std::move(result));
  }

  bool reject(Error error) {
    const auto state = state_;
    if (!state) return false;
    auto result = std::make_unique<const Result<T>>(std::unexpect, std::move(error));
    used_ = true;
    return state->settle(std::move(result));
  }

  Context context() const { return state_ ? state_->context() : Context::background(); }

 private:
  friend struct detail::FutureFactory;
  explicit Resolver(std::shared_ptr<detail::FutureState<T>> state) : state_(std::move(state)) {}

  static void give_up(const std::shared_ptr<detail::FutureState<T>>& state) {
    if (!state) return;
    state->settle(std::make_unique<const Result<T>>(
        std::unexpect, Error{Errc::broken_promise, "the resolver went away unsettled"}));
  }

  std::shared_ptr<detail::FutureState<T>> state_;
  std::atomic<bool> used_{false};  // nothing is owed any more: no need to trouble the state
};

template <class T>
std::pair<Future<T>, Resolver<T>> make_future() {
  return detail::FutureFactory::make<T>(Context::background());
}

template <class T>
Future<T> go(const Context& context, Fn<Result<T>(const Context&)> fn) {
  auto [future, resolver] = detail::FutureFactory::make<T>(context);
  spawn([fn = std::move(fn), resolver = std::move(resolver)]() mutable {
    detail::produce<T>(std::move(fn), std::move(resolver));
  });
  return std::move(future);
}

}  // namespace futures
