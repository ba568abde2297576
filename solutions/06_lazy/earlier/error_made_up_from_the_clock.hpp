// Wrong: an awaiter that gives up says "cancelled" or "deadline exceeded" by its own judgement
// instead of with its context's error; bites when the context was cancelled with a reason of its
// own (CancelSource::cancel(Error)).
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
    std::unique_lock lock(mutex_);
    if (!changed_.wait(lock, ctx.stop_token(), [&] { return outcome_.has_value(); })) {
      const auto deadline = ctx.deadline();
      const bool late = deadline && *deadline <= Clock::now();
      return std::unexpected(late ? Error{Errc::deadline_exceeded, "the deadline passed"}
                                  : Error{Errc::cancelled, "the awaiter was cancelled"});
    }
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
  std::condition_variable_any changed_;
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
