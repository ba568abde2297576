// Wrong: fn, which is not needed any more, is destroyed with the lock held; bites when the
// destructor of one of its captures takes its time, waits for another thread or awaits the same
// object: no awaiter can leave meanwhile though its context ends.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace lazy_detail {

template <class T>
using Work = Fn<Result<T>(const Context&)>;

// What an attempt came to. Never changes, so that everybody can copy it without a lock.
template <class T>
using Outcome = std::shared_ptr<const Result<T>>;

template <class T>
Outcome<T> attempt(Work<T>& fn, const Context& context) {
  try {
    return std::make_shared<const Result<T>>(fn(context));
  } catch (...) {
    return std::make_shared<const Result<T>>(std::unexpected(error_from_current_exception()));
  }
}

template <class T>
struct Run {
  Outcome<T> outcome;  // guarded by the mutex of its core
};

template <class T>
struct Core {
  Core(Work<T> work, bool keep) : fn(std::move(work)), keeps_failures(keep) {}

  Work<T> fn;  // used by one run at a time; empty when there will be no other
  const bool keeps_failures;
  std::mutex mutex;
  std::condition_variable_any changed;
  std::shared_ptr<Run<T>> run;  // guarded by mutex: the one to join
};

template <class T>
Result<T> await(const std::shared_ptr<Core<T>>& core, const Context& context) {
  std::shared_ptr<Run<T>> run;
  Outcome<T> outcome;
  {
    std::unique_lock lock(core->mutex);
    run = core->run;
    if (!run) {
      run = std::make_shared<Run<T>>();
      spawn([core, run] {
        auto outcome = attempt<T>(core->fn, Context::background());
        const std::lock_guard lock(core->mutex);
        if (*outcome || core->keeps_failures) {
          core->fn = nullptr;  // that was the last run
        } else {
          core->run.reset();
        }
        run->outcome = std::move(outcome);
        core->changed.notify_all();
      });
      core->run = run;
    }
    if (!core->changed.wait(lock, context.stop_token(), [&] { return run->outcome != nullptr; })) {
      return std::unexpected(*context.error());
    }
    outcome = run->outcome;
  }
  return *outcome;
}

}  // namespace lazy_detail

// fn gets a context that never ends: its work is for everybody, and nobody speaks for all.
template <class T>
class Lazy {
 public:
  explicit Lazy(Fn<Result<T>(const Context&)> fn)
      : core_(std::make_shared<lazy_detail::Core<T>>(std::move(fn), true)) {}
  Lazy(const Lazy&) = delete;
  Lazy& operator=(const Lazy&) = delete;

  Result<T> await(const Context& ctx) { return lazy_detail::await<T>(core_, ctx); }

 private:
  const std::shared_ptr<lazy_detail::Core<T>> core_;
};

template <class T>
class RetryLazy {
 public:
  explicit RetryLazy(Fn<Result<T>(const Context&)> fn)
      : core_(std::make_shared<lazy_detail::Core<T>>(std::move(fn), false)) {}
  RetryLazy(const RetryLazy&) = delete;
  RetryLazy& operator=(const RetryLazy&) = delete;

  Result<T> await(const Context& ctx) { return lazy_detail::await<T>(core_, ctx); }

 private:
  const std::shared_ptr<lazy_detail::Core<T>> core_;
};

}  // namespace futures
