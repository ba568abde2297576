// Wrong: when the context has ended, go() settles with the context's error in place of the one that
// the function returned; bites when a function that was told to stop says what came of it.
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

// What both ends share. Whoever calls a member holds a shared_ptr of their own for as long as the
// call lasts: a callback may drop every other handle.
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
    // Awaiters first: a callback may take its time.
    settled_.notify_all();
    for (auto& callback : callbacks) run(std::move(callback));
    return true;
  }

  Result<T> await(const Context& context) {
    std::unique_lock lock(mutex_);
    // Looks at the outcome before it looks at the token: a result that is there beats a
    // cancellation.
    if (!settled_.wait(lock, context.stop_token(), [this] { return outcome_.has_value(); })) {
      return std::unexpected(*context.error());
    }
    lock.unlock();  // copying T is the user's code
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

  // Not under the lock: cancelling runs the stop callbacks of the producer, which may settle.
  void cancel() {
    if (!settled()) producer_.cancel();
  }

  const Context& context() const { return producer_.context(); }

 private:
  // Takes the callback by value, so that its captures are gone once it has run. Its exception has
  // nobody to go to: passing it on to whoever settles would cost the other callbacks their turn.
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
  std::vector<Callback> callbacks_;   // guarded by mutex_; empty once settled
  std::optional<Result<T>> outcome_;  // written once under mutex_; constant, so free to read, after
};

}  // namespace detail

// The right to read. Copies refer to the same result. Safe to use from many threads at once.
//
// T is any object type; await() needs to copy it. A moved-from or default-constructed Future refers
// to nothing and behaves like one that was rejected with Errc::invalid_argument.
template <class T>
class Future {
 public:
  Future() = default;

  // Blocks until the result is there or the context has ended; then returns a copy of the result,
  // or the context's error. A result that is already there is returned even when the context has
  // ended.
  Result<T> await(const Context& context) const {
    const auto state = state_;
    return state ? state->await(context) : invalid();
  }

  // Whether await() would return at once with the result.
  bool settled() const { return !state_ || state_->settled(); }

  // Runs callback once: on the thread that settles, before its resolve() or reject() returns, or
  // here and now when it is settled already. No lock is held meanwhile, so the callback may use
  // this future, wait for another one, or drop the last handle. It and its captures are destroyed
  // as soon as it has run; the result it is shown lives as long as the call. It should not throw:
  // its exception ends there, with a line on stderr.
  void on_settled(Fn<void(const Result<T>&)> callback) const {
    const auto state = state_;
    if (state) {
      state->on_settled(std::move(callback));
    } else {
      callback(invalid());
    }
  }

  // Asks the producer to stop by cancelling its context. Does not settle anything itself: the
  // producer answers, with an error or with a value that was ready anyway. Does nothing once
  // settled.
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

// The right to write, once. Move-only; all but moving and destroying is safe from many threads at
// once. When it goes away unsettled, the future is rejected with Errc::broken_promise, so that
// nobody waits for a producer that is gone.
template <class T>
class Resolver {
 public:
  Resolver(Resolver&&) noexcept = default;
  Resolver& operator=(Resolver&& other) noexcept {
    // The default would drop the old future without a word. Here it leaves with `old`.
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

  // Both return whether this call settled the future; only the first one does, later ones are
  // no-ops. The awaiters have been woken and the callbacks have run when it returns.
  bool resolve(T value) { return settle(Result<T>(std::in_place, std::move(value))); }
  bool reject(Error error) { return settle(std::unexpected(std::move(error))); }

  // Ends when the future is cancelled. For the producer to look at, or to hand on.
  Context context() const { return state_ ? state_->context() : Context::background(); }

 private:
  friend std::pair<Future<T>, Resolver<T>> detail::make_future_under<T>(const Context&);
  explicit Resolver(std::shared_ptr<detail::FutureState<T>> state) : state_(std::move(state)) {}

  // From here on `this` is not touched: a callback may destroy the resolver itself.
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

// A pending future and the one resolver that can settle it.
template <class T>
std::pair<Future<T>, Resolver<T>> make_future() {
  return detail::make_future_under<T>(Context::background());
}

// Runs fn on a thread of its own and settles the future with what it returns, or with an
// Errc::exception when it throws. fn's context ends with the given one, and when the future is
// cancelled. fn's captures are destroyed before the result can be seen. Throws std::system_error
// when the system has no thread to give.
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
    } else if (writer.context().done()) {
      writer.reject(*writer.context().error());
    } else {
      writer.reject(std::move(outcome).error());
    }
  });
  return future;
}

}  // namespace futures
