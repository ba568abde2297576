// Wrong: the end of a context notifies the condition variable without its mutex; bites when it
// comes between an awaiter's look at its context and its going to sleep: the wake-up is lost, and
// the awaiter stays as long as fn does.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// One run of fn and what came of it.
template <class T>
class Run {
 public:
  using Function = Fn<Result<T>(const Context&)>;

  static std::shared_ptr<Run> start(std::shared_ptr<Function> fn) {
    auto run = std::make_shared<Run>();
    spawn([run, fn = std::move(fn)] {
      std::optional<Result<T>> outcome;
      try {
        outcome.emplace((*fn)(run->lifetime_.context()));
      } catch (...) {
        outcome.emplace(std::unexpected(error_from_current_exception()));
      }
      const std::lock_guard lock(run->mutex_);
      run->outcome_ = std::move(outcome);
      run->changed_.notify_all();
    });
    return run;
  }

  Result<T> wait(const Context& ctx) {
    // A plain condition variable and a callback: cheaper than condition_variable_any.
    const std::stop_callback wake(ctx.stop_token(), [this] { changed_.notify_all(); });
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return outcome_.has_value() || ctx.done(); });
    if (!outcome_) return std::unexpected(*ctx.error());
    lock.unlock();
    return *outcome_;
  }

  bool failed() {
    const std::lock_guard lock(mutex_);
    return outcome_ && !outcome_->has_value();
  }

  void stop() { lifetime_.cancel(); }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Result<T>> outcome_;  // guarded by mutex_ until it is there, constant after
  CancelSource lifetime_ = with_cancel(Context::background());
};

template <class T, bool keeps_failure>
class OnDemand {
 public:
  explicit OnDemand(Fn<Result<T>(const Context&)> fn)
      : fn_(std::make_shared<typename Run<T>::Function>(std::move(fn))) {}
  OnDemand(const OnDemand&) = delete;
  OnDemand& operator=(const OnDemand&) = delete;
  ~OnDemand() {
    if (run_) run_->stop();
  }

  Result<T> await(const Context& ctx) {
    std::shared_ptr<Run<T>> run;
    {
      const std::lock_guard lock(mutex_);
      if (!run_ || (!keeps_failure && run_->failed())) run_ = Run<T>::start(fn_);
      run = run_;
    }
    return run->wait(ctx);
  }

 private:
  const std::shared_ptr<typename Run<T>::Function> fn_;
  std::mutex mutex_;
  std::shared_ptr<Run<T>> run_;  // guarded by mutex_
};

}  // namespace detail

template <class T>
class Lazy : public detail::OnDemand<T, true> {
 public:
  using detail::OnDemand<T, true>::OnDemand;
};

template <class T>
class RetryLazy : public detail::OnDemand<T, false> {
 public:
  using detail::OnDemand<T, false>::OnDemand;
};

}  // namespace futures
