// Wrong: RetryLazy chooses one of the joiners of a failed attempt to make the next one, and a
// chosen one whose context has ended leaves without passing that on; bites when a joiner's context
// ends between its being chosen and its waking up: everybody who awaits from then on waits for an
// attempt that nobody makes.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <system_error>
#include <utility>
#include <vector>

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

// Of those who waited for a failed attempt one makes the next one; the others get the error.
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
    Awaiter me;
    std::unique_lock lock(state->mutex);
    if (const auto value = state->value) {
      lock.unlock();
      return *value;
    }
    state->inside.push_back(&me);
    if (!state->busy) me.promoted = state->busy = true;
    if (std::exchange(me.promoted, false)) {
      me.maker = true;
      lock.unlock();
      start(state);
      lock.lock();
    }
    for (;;) {
      if (me.outcome) {
        lock.unlock();
        return *me.outcome;
      }
      // Whoever has no more interest starts nothing.
      if (ctx.done()) {
        std::erase(state->inside, &me);
        lock.unlock();
        return std::unexpected(*ctx.error());
      }
      if (std::exchange(me.promoted, false)) {
        me.maker = true;
        lock.unlock();
        start(state);
        lock.lock();
        continue;
      }
      state->changed.wait(lock, ctx.stop_token(), [&me] { return me.outcome || me.promoted; });
    }
  }

 private:
  using Shared = std::shared_ptr<const Result<T>>;

  struct Awaiter {
    bool promoted = false;  // the next attempt is its to make
    bool maker = false;     // it has made the attempt that is running
    Shared outcome;
  };

  struct State {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::vector<Awaiter*> inside;  // guarded by mutex, as all but fn
    bool busy = false;             // an attempt is running, or somebody is about to make one
    Shared value;
    Fn<Result<T>(const Context&)> fn;  // used by the attempt that is running

    void finish(Result<T> result) {
      const auto outcome = std::make_shared<const Result<T>>(std::move(result));
      const std::lock_guard lock(mutex);
      Awaiter* heir = nullptr;
      for (Awaiter* awaiter : std::exchange(inside, {})) {
        if (!outcome->has_value() && !awaiter->maker && !heir) {
          heir = awaiter;
          heir->promoted = true;
        } else {
          awaiter->outcome = outcome;
        }
      }
      if (outcome->has_value()) value = outcome;
      if (heir) inside.push_back(heir);
      busy = heir != nullptr;
      changed.notify_all();
    }
  };

  static void start(const std::shared_ptr<State>& state) {
    lazy_detail::start([state] { state->finish(lazy_detail::call<T>(state->fn)); },
                       [&state](Error why) { state->finish(std::unexpected(std::move(why))); });
  }

  std::shared_ptr<State> state_;
};

}  // namespace futures
