// Wrong: who settles takes the list of waiters, which live on the stacks of the awaiters, and wakes
// them after the lock was released; bites when the context of an awaiter ends in that moment: it
// sees the result, returns, and the list leads through a stack frame that is gone (a crash, or the
// awaiters behind it sleep for ever).
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
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

// One awaiter, on its own stack, in a list through all of them.
struct Waiter {
  std::atomic<int> woken{0};
  Waiter* next = nullptr;
  Waiter** here = nullptr;  // what points to this one

  void wake() {
    woken.store(1);
    woken.notify_one();
  }
};

template <class T>
class FutureState {
 public:
  using Callback = Fn<void(const Result<T>&)>;

  explicit FutureState(const Context& parent) : source_(with_cancel(parent)) {}

  Context context() const { return source_.context(); }

  bool settled() const {
    const std::lock_guard lock(mutex_);
    return result_.has_value();
  }

  Result<T> await(const Context& context) {
    Waiter me;
    bool waits = false;
    {
      const std::lock_guard lock(mutex_);
      if (!result_) {
        waits = true;
        me.next = waiters_;
        if (me.next) me.next->here = &me.next;
        me.here = &waiters_;
        waiters_ = &me;
      }
    }
    if (waits) {
      {
        const std::stop_callback on_stop(context.stop_token(), [&me] { me.wake(); });
        me.woken.wait(0);
      }
      const std::lock_guard lock(mutex_);
      if (!result_) {
        *me.here = me.next;
        if (me.next) me.next->here = me.here;
        return Result<T>(std::unexpect, *context.error());
      }
    }
    return *result_;  // does not change any more
  }

  template <class How, class What>
  bool settle(How how, What&& what) {
    std::vector<Callback> callbacks;
    Waiter* waiter = nullptr;
    {
      const std::lock_guard lock(mutex_);
      if (result_) return false;
      result_.emplace(how, std::forward<What>(what));
      callbacks.swap(callbacks_);
      waiter = std::exchange(waiters_, nullptr);
    }
    while (waiter) {
      // Asked first: once woken, the waiter goes away.
      auto* const next = waiter->next;
      waiter->wake();
      waiter = next;
    }
    for (auto& callback : callbacks) run_callback<T>(std::move(callback), *result_);
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
  std::optional<Result<T>> result_;  // guarded by mutex_ until it is there
  std::vector<Callback> callbacks_;  // guarded by mutex_
  Waiter* waiters_ = nullptr;        // guarded by mutex_
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
  Resolver(Resolver&& other) noexcept : state_(std::move(other.state_)) {}
  Resolver& operator=(Resolver&& other) noexcept {
    if (this != &other) {
      // First the handles, then the old future: its callbacks may do anything to this resolver.
      const auto old = std::exchange(state_, std::exchange(other.state_, nullptr));
      give_up(old);
    }
    return *this;
  }
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  ~Resolver() { give_up(std::exchange(state_, nullptr)); }

  bool resolve(T value) {
    const auto state = state_;  // a copy: a callback may destroy this resolver
    return state && state->settle(std::in_place, std::move(value));
  }

  bool reject(Error error) {
    const auto state = state_;
    return state && state->settle(std::unexpect, std::move(error));
  }

  Context context() const { return state_ ? state_->context() : Context::background(); }

 private:
  friend struct detail::FutureFactory;
  explicit Resolver(std::shared_ptr<detail::FutureState<T>> state) : state_(std::move(state)) {}

  static void give_up(const std::shared_ptr<detail::FutureState<T>>& state) {
    if (!state || state->settled()) return;
    state->settle(std::unexpect, Error{Errc::broken_promise, "the resolver went away unsettled"});
  }

  std::shared_ptr<detail::FutureState<T>> state_;
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
