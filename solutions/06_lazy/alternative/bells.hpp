// Right: no condition variable; every run has a bell, an atomic that awaiters sleep on and that
// both fn's thread and the end of a context ring; fn gets a context that never ends.
#pragma once

#include <atomic>
#include <cstdint>
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

// One run of fn. Whoever uses it holds a shared_ptr.
template <class T>
class Run {
 public:
  using Function = Fn<Result<T>(const Context&)>;

  // fn's context is the root: a result belongs to all awaiters, those to come too, so nobody may
  // cancel it. fn's thread ends when fn does.
  static void begin(const std::shared_ptr<Run>& run, const std::shared_ptr<Function>& fn) {
    spawn([run, fn] {
      std::optional<Result<T>>& outcome = run->outcome_;
      try {
        outcome.emplace((*fn)(Context::background()));
      } catch (...) {
        outcome.emplace(std::unexpected(error_from_current_exception()));
      }
      run->over_.store(true);
      run->ring();
    });
  }

  Result<T> wait(const Context& ctx) {
    const std::stop_callback at_end(ctx.stop_token(), [this] { ring(); });
    while (true) {
      // Read before looking: a ring that comes after this keeps us from sleeping.
      const std::uint32_t heard = bell_.load();
      if (over_.load()) return *outcome_;
      if (ctx.done()) return std::unexpected(*ctx.error());
      bell_.wait(heard);
    }
  }

  bool failed() const { return over_.load() && !outcome_->has_value(); }

 private:
  void ring() {
    bell_.fetch_add(1);
    bell_.notify_all();
  }

  std::atomic<std::uint32_t> bell_ = 0;
  std::atomic<bool> over_ = false;
  std::optional<Result<T>> outcome_;  // written before over_, constant after
};

}  // namespace detail

template <class T>
class Lazy {
 public:
  explicit Lazy(Fn<Result<T>(const Context&)> fn)
      : fn_(std::make_shared<typename detail::Run<T>::Function>(std::move(fn))) {}
  Lazy(const Lazy&) = delete;
  Lazy& operator=(const Lazy&) = delete;

  Result<T> await(const Context& ctx) {
    if (!begun_.load()) begin();
    return run_->wait(ctx);
  }

 private:
  void begin() {
    const std::lock_guard lock(beginning_);
    if (begun_.load()) return;
    detail::Run<T>::begin(run_, fn_);  // throws when there is no thread: the next one tries again
    begun_.store(true);
  }

  const std::shared_ptr<typename detail::Run<T>::Function> fn_;
  const std::shared_ptr<detail::Run<T>> run_ = std::make_shared<detail::Run<T>>();
  std::mutex beginning_;
  std::atomic<bool> begun_ = false;
};

template <class T>
class RetryLazy {
 public:
  explicit RetryLazy(Fn<Result<T>(const Context&)> fn)
      : fn_(std::make_shared<typename detail::Run<T>::Function>(std::move(fn))) {}
  RetryLazy(const RetryLazy&) = delete;
  RetryLazy& operator=(const RetryLazy&) = delete;

  Result<T> await(const Context& ctx) {
    const auto run = [this] {
      const std::lock_guard lock(mutex_);
      if (!run_ || run_->failed()) {
        auto next = std::make_shared<detail::Run<T>>();
        detail::Run<T>::begin(next, fn_);
        run_ = std::move(next);
      }
      return run_;
    }();
    return run->wait(ctx);
  }

 private:
  const std::shared_ptr<typename detail::Run<T>::Function> fn_;
  std::mutex mutex_;
  std::shared_ptr<detail::Run<T>> run_;  // guarded by mutex_; the latest
};

}  // namespace futures
