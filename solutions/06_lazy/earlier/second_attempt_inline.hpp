// Wrong: who waited for a failed attempt runs the next one on its own thread; bites when its
// context ends while fn is at work and does not care.
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

// What a lazy object, its awaiters and the thread that runs fn share. fn gets a context that never
// ends.
template <class T>
class LazyCore : public std::enable_shared_from_this<LazyCore<T>> {
 public:
  using Function = Fn<Result<T>(const Context&)>;

  LazyCore(Function fn, bool retries) : retries_(retries), fn_(std::move(fn)) {}
  LazyCore(const LazyCore&) = delete;
  LazyCore& operator=(const LazyCore&) = delete;

  Result<T> await(const Context& context) {
    std::unique_lock lock(mutex_);
    const bool started_here = !current_;
    if (started_here) {
      auto first = std::make_shared<Run>();
      spawn([self = this->shared_from_this(), first] { self->perform(*first); });
      current_ = std::move(first);
    }
    const auto run = current_;
    if (!run->ended.wait(lock, context.stop_token(), [&run] { return run->over; })) {
      lock.unlock();
      return std::unexpected(*context.error());
    }
    // A failure that is to be forgotten is not current any more. Its starter reports it, and one of
    // those who had joined makes up for it, if nobody has begun to meanwhile.
    if (!current_ && !started_here && !run->followed && !context.done()) {
      run->followed = true;
      const auto next = std::make_shared<Run>();
      current_ = next;
      lock.unlock();
      perform(*next);  // no need for a thread: this one has nothing to do but wait
      return *next->outcome;
    }
    lock.unlock();
    return *run->outcome;
  }

 private:
  struct Run {
    std::condition_variable_any ended;
    bool over = false;                 // guarded by mutex_
    bool followed = false;             // guarded by mutex_
    std::optional<Result<T>> outcome;  // the runner's alone until it is over, then constant
  };

  // Runs fn and makes the outcome known. No two of them at a time: the next one starts when nothing
  // is current.
  void perform(Run& run) {
    try {
      run.outcome.emplace(fn_(Context::background()));
    } catch (...) {
      run.outcome.emplace(std::unexpect, error_from_current_exception());
    }
    const bool kept = !retries_ || run.outcome->has_value();
    Function done;  // destroyed at the very end, without the lock
    const std::lock_guard lock(mutex_);
    if (kept) {
      done = std::move(fn_);
    } else {
      current_ = nullptr;  // the caller has a reference
    }
    run.over = true;
    run.ended.notify_all();
  }

  const bool retries_;
  std::mutex mutex_;
  Function fn_;                   // the runner's
  std::shared_ptr<Run> current_;  // guarded by mutex_; under way, or over and kept
};

}  // namespace detail

// Runs fn at most once, on the first await; a failure is kept, too.
template <class T>
class Lazy {
 public:
  explicit Lazy(Fn<Result<T>(const Context&)> fn)
      : core_(std::make_shared<detail::LazyCore<T>>(std::move(fn), false)) {}
  Lazy(const Lazy&) = delete;
  Lazy& operator=(const Lazy&) = delete;

  Result<T> await(const Context& ctx) { return core_->await(ctx); }

 private:
  const std::shared_ptr<detail::LazyCore<T>> core_;
};

// A Lazy that keeps only a success.
template <class T>
class RetryLazy {
 public:
  explicit RetryLazy(Fn<Result<T>(const Context&)> fn)
      : core_(std::make_shared<detail::LazyCore<T>>(std::move(fn), true)) {}
  RetryLazy(const RetryLazy&) = delete;
  RetryLazy& operator=(const RetryLazy&) = delete;

  Result<T> await(const Context& ctx) { return core_->await(ctx); }

 private:
  const std::shared_ptr<detail::LazyCore<T>> core_;
};

}  // namespace futures
