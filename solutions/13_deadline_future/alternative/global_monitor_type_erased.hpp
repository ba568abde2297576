// Right: all futures of the program share one recursive mutex, each has a condition variable in a
// core that knows no T, the outcome is type-erased.
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

class DeadlineCore : public std::enable_shared_from_this<DeadlineCore> {
 public:
  using Outcome = std::shared_ptr<const void>;

  // Does not return before compute has; compute makes the outcome and destroys what made it.
  void work(Fn<Outcome(const Context&)> compute) {
    auto outcome = compute(producer_.context());
    compute = nullptr;
    stop("the work is over");
    const std::lock_guard lock(monitor());
    outcome_ = std::move(outcome);
    settled_.notify_all();
  }

  // Null: the context has ended first.
  Outcome await(const Context& ctx) {
    tighten(ctx.deadline());
    {
      std::unique_lock lock(monitor());
      if (settled_.wait(lock, ctx.stop_token(), [this] { return outcome_ != nullptr; })) {
        return outcome_;
      }
    }
    tighten(ctx.deadline());
    return nullptr;
  }

  void stop(const char* why) { producer_.cancel(Error{Errc::cancelled, why}); }
  std::optional<Clock::time_point> deadline() const { return producer_.context().deadline(); }

  // A pointer that stops the work when its last copy goes. The core itself may live longer.
  std::shared_ptr<DeadlineCore> handle() {
    return {this,
            [self = shared_from_this()](DeadlineCore* core) { core->stop("no handle is left"); }};
  }

 private:
  // For looks at a pointer only; no user's code runs with it held. Never destroyed.
  static std::recursive_mutex& monitor() {
    static auto* mutex = new std::recursive_mutex;
    return *mutex;
  }

  void tighten(std::optional<Clock::time_point> deadline) {
    if (deadline) producer_.tighten(*deadline);
  }

  CancelSource producer_ = with_cancel(Context::background());
  std::condition_variable_any settled_;
  Outcome outcome_;  // guarded by monitor(); what it points to is constant
};

}  // namespace detail

template <class T>
class DeadlineFuture {
 public:
  explicit DeadlineFuture(std::shared_ptr<detail::DeadlineCore> handle)
      : handle_(std::move(handle)) {}

  Result<T> await(const Context& ctx) {
    const auto handle = handle_;
    const auto outcome = handle->await(ctx);
    if (outcome) return *static_cast<const Result<T>*>(outcome.get());
    return std::unexpected(*ctx.error());
  }
  std::optional<Clock::time_point> deadline() const { return handle_->deadline(); }
  void cancel() {
    const auto handle = handle_;
    handle->stop("the work was cancelled");
  }

 private:
  std::shared_ptr<detail::DeadlineCore> handle_;
};

template <class T>
DeadlineFuture<T> go_with_deadline(Fn<Result<T>(const Context&)> fn) {
  auto core = std::make_shared<detail::DeadlineCore>();
  DeadlineFuture<T> future(core->handle());
  spawn([core = std::move(core), fn = std::move(fn)]() mutable {
    core->work([fn = std::move(fn)](const Context& ctx) mutable -> std::shared_ptr<const void> {
      std::shared_ptr<const void> outcome;
      try {
        outcome = std::make_shared<const Result<T>>(fn(ctx));
      } catch (...) {
        outcome =
            std::make_shared<const Result<T>>(std::unexpected(error_from_current_exception()));
      }
      return outcome;
    });
  });
  return future;
}

}  // namespace futures
