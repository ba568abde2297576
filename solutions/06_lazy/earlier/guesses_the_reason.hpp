// Whatever ended a context whose deadline has passed is told as the deadline.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// Runs fn and keeps its outcome in `result`. Whatever fn, or moving its value, throws becomes an
// Error: nobody is there on fn's thread to catch it, and the awaiters need an answer.
template <class T>
void run_into(std::optional<Result<T>>& result, Fn<Result<T>(const Context&)>& fn,
              const Context& context) {
  try {
    result.emplace(fn(context));
  } catch (...) {
    result.emplace(std::unexpected(error_from_current_exception()));
  }
}

}  // namespace detail

// Runs fn at most once: on the first await, on a thread of its own. Everybody gets a copy of what
// it returned, a failure too: a Lazy whose fn failed stays failed (see RetryLazy).
//
// fn's context has no deadline and ends when the Lazy is destroyed, not when an awaiter leaves:
// there is no second attempt, so one impatient caller must not spoil the only one for all others.
// A Lazy must outlive the calls of await(), but not fn: destroying it never blocks.
template <class T>
class Lazy {
 public:
  explicit Lazy(Fn<Result<T>(const Context&)> fn)
      : state_(std::make_shared<State>(std::move(fn))) {}
  Lazy(const Lazy&) = delete;
  Lazy& operator=(const Lazy&) = delete;

  // Starts fn if nobody has, and waits for its outcome or for the end of ctx, whichever comes
  // first; an outcome that is there wins. A ctx that has already ended starts nothing. Safe to
  // call from many threads at once.
  Result<T> await(const Context& ctx) {
    State& state = *state_;
    std::unique_lock lock(state.mutex);
    if (!state.started && !ctx.done()) start();
    // Not inline, not even for the first awaiter: fn may take longer than any of them can wait.
    if (!state.finished_changed.wait(lock, ctx.stop_token(), [&] { return state.finished; })) {
      return std::unexpected([](const Context& c) {
        const auto d = c.deadline();
        return d && *d <= Clock::now() ? Error{Errc::deadline_exceeded, "the deadline has passed"}
                                       : *c.error();
      }(ctx));
    }
    lock.unlock();  // the result no longer changes: T's copy constructor needs no lock of ours
    return *state.result;
  }

 private:
  struct State {
    explicit State(Fn<Result<T>(const Context&)> f) : fn(std::move(f)) {}

    std::mutex mutex;
    std::condition_variable_any finished_changed;
    bool started = false;              // guarded by mutex
    bool finished = false;             // guarded by mutex
    Fn<Result<T>(const Context&)> fn;  // used by fn's thread only
    // Written by fn's thread before `finished`, never changed after it.
    std::optional<Result<T>> result;
  };

  // With the mutex held. If the system has no thread to give, spawn() throws, nothing has started
  // and the next await tries again.
  void start() {
    // The thread shares the state: it may still be here when the last awaiter has destroyed the
    // Lazy, be it in the middle of fn or between waking that awaiter and returning.
    spawn([state = state_, context = lifetime_.context()] {
      detail::run_into(state->result, state->fn, context);
      state->fn = nullptr;  // what fn captured is not needed any more
      const std::lock_guard lock(state->mutex);
      state->finished = true;
      state->finished_changed.notify_all();
    });
    state_->started = true;
  }

  std::shared_ptr<State> state_;
  CancelSource lifetime_ = with_cancel(Context::background());
};

// A Lazy that keeps only a success. After a failed attempt the next await runs fn again; fn never
// runs twice at a time.
//
// Those who wait for an attempt get its outcome. An attempt that all of them have left is cancelled
// through its context; whoever comes after that waits for it to end and then, unless it succeeded
// all the same, makes a new one: nobody gets an error that only somebody
// else's impatience caused.
template <class T>
class RetryLazy {
 public:
  explicit RetryLazy(Fn<Result<T>(const Context&)> fn)
      : state_(std::make_shared<State>(std::move(fn))) {}
  RetryLazy(const RetryLazy&) = delete;
  RetryLazy& operator=(const RetryLazy&) = delete;

  // Waits for the value, for the failure of the attempt it joined or started, or for the end of
  // ctx; a value that is there wins. A ctx that has already ended starts nothing. Safe to call
  // from many threads at once.
  Result<T> await(const Context& ctx) {
    State& state = *state_;
    std::unique_lock lock(state.mutex);
    while (true) {
      if (!state.attempt && ctx.done())
        return std::unexpected([](const Context& c) {
          const auto d = c.deadline();
          return d && *d <= Clock::now() ? Error{Errc::deadline_exceeded, "the deadline has passed"}
                                         : *c.error();
        }(ctx));
      if (!state.attempt) start();
      // Our own handle: the state may have gone on to another attempt by the time we wake up.
      const std::shared_ptr<Attempt> attempt = state.attempt;
      const bool joined = !attempt->abandoned;
      ++attempt->awaiters;
      const bool finished =
          state.finished_changed.wait(lock, ctx.stop_token(), [&] { return attempt->finished; });
      --attempt->awaiters;
      if (!finished) {
        leave(lock, *attempt);
        return std::unexpected([](const Context& c) {
          const auto d = c.deadline();
          return d && *d <= Clock::now() ? Error{Errc::deadline_exceeded, "the deadline has passed"}
                                         : *c.error();
        }(ctx));
      }
      if (joined || attempt->result->has_value()) {
        lock.unlock();  // the result no longer changes: T's copy constructor needs no lock of ours
        return *attempt->result;
      }
    }
  }

 private:
  struct Attempt {
    std::size_t awaiters = 0;  // guarded by State::mutex, as the next two
    bool abandoned = false;
    bool finished = false;
    // Written by fn's thread before `finished`, never changed after it.
    std::optional<Result<T>> result;
    CancelSource lifetime = with_cancel(Context::background());
  };

  struct State {
    explicit State(Fn<Result<T>(const Context&)> f) : fn(std::move(f)) {}

    std::mutex mutex;
    std::condition_variable_any finished_changed;
    // The attempt that is running or has succeeded; null before the first and after a failed one.
    // Guarded by mutex.
    std::shared_ptr<Attempt> attempt;
    Fn<Result<T>(const Context&)> fn;  // used by the thread of the running attempt only
  };

  // With the mutex held. If spawn() throws, there is no attempt and the next await tries again.
  void start() {
    auto attempt = std::make_shared<Attempt>();
    spawn([state = state_, attempt] {
      detail::run_into(attempt->result, state->fn, attempt->lifetime.context());
      const std::lock_guard lock(state->mutex);
      attempt->finished = true;
      // Now, not after the lock: an awaiter that comes after somebody has seen the failure must not
      // find the failed attempt here.
      if (!attempt->result->has_value()) state->attempt = nullptr;
      state->finished_changed.notify_all();
    });
    state_->attempt = std::move(attempt);
  }

  // The last one to leave cancels. The decision is made under the lock, so that nobody joins after
  // it; the cancelling is not, because it runs stop callbacks of fn, which may do anything.
  static void leave(std::unique_lock<std::mutex>& lock, Attempt& attempt) {
    if (attempt.awaiters > 0) return;
    attempt.abandoned = true;
    lock.unlock();
    attempt.lifetime.cancel(
        Error{Errc::cancelled, "everybody who waited for this attempt has left"});
  }

  std::shared_ptr<State> state_;
};

}  // namespace futures
