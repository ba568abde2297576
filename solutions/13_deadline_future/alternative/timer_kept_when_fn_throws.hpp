// Right: takes its timer back when fn returns; after a throw, when the last handle goes.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// What fn's thread and all handles share. It outlives whichever of them goes last.
template <class T>
class DeadlineState {
 public:
  // The whole life of fn, on its thread.
  void run(Fn<Result<T>(const Context&)> fn) {
    try {
      outcome_.emplace(fn(context()));
      // Before anybody hears of the outcome: from here on no await can set the timer again.
      end(Error{Errc::cancelled, "the work is over"});
    } catch (...) {
      outcome_.emplace(std::unexpected(error_from_current_exception()));
    }
    fn = nullptr;  // it may hold what somebody waits to see gone, or a handle on this very work
    {
      const std::lock_guard lock(mutex_);
      settled_ = true;
    }
    settled_changed_.notify_all();  // they may drop their handles: our caller keeps this alive
  }

  Result<T> await(const Context& ctx) {
    tighten(ctx);
    {
      std::unique_lock lock(mutex_);
      // Looks whether it is settled before it looks at the token: a result that is there beats an
      // ended context.
      if (settled_changed_.wait(lock, ctx.stop_token(), [this] { return settled_; })) {
        lock.unlock();  // copying T is the user's code
        return *outcome_;
      }
    }
    // Once more, for a deadline that has passed by now. It is in the timer twice, for ctx and for
    // fn, and ctx came first: whoever drops the future the moment they hear of it would turn fn's
    // "deadline exceeded" into "cancelled".
    tighten(ctx);
    return std::unexpected(*ctx.error());
  }

  // Ends fn's context. Runs fn's stop callbacks, which may use the future: hence not under mutex_.
  void end(Error why) { producer_.cancel(std::move(why)); }

  // The context that fn gets. It knows the deadline in force, so nobody else has to.
  const Context& context() const { return producer_.context(); }

 private:
  // "Is it earlier?" and "then it is the deadline" have to be one step, or the later of two hurried
  // awaiters may win. The context does both under a lock of its own. No thread per await: the
  // context has one entry in the runtime's timer, and tightening moves it.
  //
  // Not a child of ctx, and no with_deadline(ctx): both would end fn with its awaiter. A deadline
  // is a promise to everybody, a cancelled ctx is one awaiter's own affair.
  void tighten(const Context& ctx) {
    if (const auto deadline = ctx.deadline()) producer_.tighten(*deadline);
  }

  CancelSource producer_ = with_cancel(Context::background());
  std::mutex mutex_;
  std::condition_variable_any settled_changed_;
  bool settled_ = false;              // guarded by mutex_
  std::optional<Result<T>> outcome_;  // written by fn's thread before settled_, constant after it
};

// Held by handles only, while fn's thread holds the state alone: so the end of this is the end of
// the last handle. Asking a shared_ptr for its use_count() instead would be a look at the past:
// two handles that go at once may both see the other one.
template <class T>
class DeadlineHandles {
 public:
  explicit DeadlineHandles(std::shared_ptr<DeadlineState<T>> shared) : state(std::move(shared)) {}
  DeadlineHandles(const DeadlineHandles&) = delete;
  DeadlineHandles& operator=(const DeadlineHandles&) = delete;
  ~DeadlineHandles() {
    state->end(Error{Errc::cancelled, "nobody holds a handle on the work any more"});
  }

  const std::shared_ptr<DeadlineState<T>> state;
};

}  // namespace detail

template <class T>
class DeadlineFuture;
template <class T>
DeadlineFuture<T> go_with_deadline(Fn<Result<T>(const Context&)> fn);

// A handle on work that go_with_deadline() has started. Copies refer to the same work; when the
// last one is gone, the work's context is cancelled. Dropping a handle never waits for fn.
//
// T is any type that can be copied. Safe to use from many threads at once. An await counts as a
// handle: the one it was called through may go meanwhile. A moved-from handle may only be destroyed
// or assigned to.
template <class T>
class DeadlineFuture {
 public:
  // What fn returned or, when ctx ends first, ctx's error; an outcome that is there wins. When ctx
  // has a deadline that is earlier than the one in force, fn's context takes it over, for good: it
  // tells it, and ends then with Errc::deadline_exceeded. fn's context has ended, too, when this
  // returns because ctx's deadline has passed.
  Result<T> await(const Context& ctx) {
    const auto handle = handles_;
    return handle->state->await(ctx);
  }

  // The earliest deadline that an await has brought; nullopt while there was none. Those that come
  // after fn has returned do not count.
  std::optional<Clock::time_point> deadline() const {
    return handles_->state->context().deadline();
  }

  // Ends fn's context with Errc::cancelled, unless it has ended. Settles nothing: fn answers, with
  // an error or with a value that was ready anyway.
  void cancel() {
    const auto handle = handles_;
    handle->state->end(Error{Errc::cancelled, "cancel() was called on the future"});
  }

 private:
  friend DeadlineFuture go_with_deadline<T>(Fn<Result<T>(const Context&)>);
  explicit DeadlineFuture(std::shared_ptr<detail::DeadlineHandles<T>> handles)
      : handles_(std::move(handles)) {}

  std::shared_ptr<detail::DeadlineHandles<T>> handles_;
};

// Starts fn on a thread of its own and returns. fn's context has no deadline until somebody awaits
// with one, and ends with fn. An exception that leaves fn becomes an Error with code
// Errc::exception. Throws std::system_error when the system has no thread to give.
template <class T>
DeadlineFuture<T> go_with_deadline(Fn<Result<T>(const Context&)> fn) {
  auto state = std::make_shared<detail::DeadlineState<T>>();
  DeadlineFuture<T> future(std::make_shared<detail::DeadlineHandles<T>>(state));
  spawn([state = std::move(state), fn = std::move(fn)]() mutable { state->run(std::move(fn)); });
  return future;
}

}  // namespace futures
