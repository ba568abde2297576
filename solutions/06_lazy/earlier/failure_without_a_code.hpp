// Wrong: RetryLazy asks the code of the error whether an attempt has failed, so an error that is
// only a text (code 0) is kept like a success; bites when fn returns std::unexpected(Error{{},
// "text"}): it is never run again and everybody gets that error.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <system_error>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace lazy_detail {

template <class T>
Result<T> call(Fn<Result<T>(const Context&)>& fn) {
  try {
    return fn(Context::background());  // decided: fn's context never ends
  } catch (...) {
    return std::unexpected(error_from_current_exception());
  }
}

// Runs work on a thread of its own; where there is none to be had, that is the outcome.
template <class Work, class Fail>
void start(Work work, Fail fail) {
  try {
    spawn(std::move(work));
  } catch (const std::system_error& e) {
    fail(Error{Errc::unavailable, e.what()});
  }
}

template <class T>
class Attempt {
 public:
  void settle(Result<T> outcome) {
    auto shared = std::make_shared<const Result<T>>(std::move(outcome));
    const std::lock_guard lock(mutex_);
    outcome_ = std::move(shared);
    changed_.notify_all();
  }

  Result<T> wait(const Context& ctx) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, ctx.stop_token(), [this] { return outcome_ != nullptr; });
    const auto outcome = outcome_;
    lock.unlock();
    if (outcome) return *outcome;
    return std::unexpected(*ctx.error());
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::shared_ptr<const Result<T>> outcome_;  // guarded by mutex_
};

}  // namespace lazy_detail

// Everybody who awaits holds on to the state, and so does fn's thread.
template <class T>
class Lazy {
 public:
  explicit Lazy(Fn<Result<T>(const Context&)> fn) : state_(std::make_shared<State>()) {
    state_->fn = std::move(fn);
  }
  Lazy(const Lazy&) = delete;
  Lazy& operator=(const Lazy&) = delete;

  Result<T> await(const Context& ctx) {
    const auto state = state_;
    if (!state->started.exchange(true)) {
      lazy_detail::start(
          [state] {
            auto fn = std::move(state->fn);
            state->attempt.settle(lazy_detail::call<T>(fn));
          },
          [&state](Error why) { state->attempt.settle(std::unexpected(std::move(why))); });
    }
    return state->attempt.wait(ctx);
  }

 private:
  struct State {
    std::atomic<bool> started{false};
    Fn<Result<T>(const Context&)> fn;
    lazy_detail::Attempt<T> attempt;
  };
  std::shared_ptr<State> state_;
};

// A failed attempt is forgotten before anybody hears of it.
template <class T>
class RetryLazy {
 public:
  explicit RetryLazy(Fn<Result<T>(const Context&)> fn) : state_(std::make_shared<State>()) {
    state_->fn = std::move(fn);
  }
  RetryLazy(const RetryLazy&) = delete;
  RetryLazy& operator=(const RetryLazy&) = delete;

  Result<T> await(const Context& ctx) {
    const auto state = state_;
    std::shared_ptr<Attempt> attempt;
    bool mine = false;
    {
      const std::lock_guard lock(state->mutex);
      mine = !state->current;
      if (mine) state->current = std::make_shared<Attempt>();
      attempt = state->current;
    }
    if (mine) {
      lazy_detail::start(
          [state, attempt] { state->finish(*attempt, lazy_detail::call<T>(state->fn)); },
          [&](Error why) { state->finish(*attempt, std::unexpected(std::move(why))); });
    }
    return attempt->wait(ctx);
  }

 private:
  using Attempt = lazy_detail::Attempt<T>;

  struct State {
    std::mutex mutex;
    std::shared_ptr<Attempt> current;  // guarded by mutex; running, or the one that succeeded
    Fn<Result<T>(const Context&)> fn;

    void finish(Attempt& attempt, Result<T> outcome) {
      const std::error_code why = outcome ? std::error_code() : outcome.error().code;
      if (why) {
        const std::lock_guard lock(mutex);
        current = nullptr;  // whoever runs the attempt holds on to it
      }
      attempt.settle(std::move(outcome));
    }
  };
  std::shared_ptr<State> state_;
};

}  // namespace futures
