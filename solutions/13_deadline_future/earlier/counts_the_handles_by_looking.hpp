// Wrong: asks use_count() whether it is the last; bites when two go at once: neither is.
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

template <class T>
class DeadlineState {
 public:
  void run(Fn<Result<T>(const Context&)> fn) {
    try {
      outcome_.emplace(fn(context()));
    } catch (...) {
      outcome_.emplace(std::unexpected(error_from_current_exception()));
    }
    fn = nullptr;
    end(Error{Errc::cancelled, "the work is over"});
    {
      const std::lock_guard lock(mutex_);
      settled_ = true;
    }
    settled_changed_.notify_all();
  }

  Result<T> await(const Context& ctx) {
    tighten(ctx);
    std::unique_lock lock(mutex_);
    if (!settled_changed_.wait(lock, ctx.stop_token(), [this] { return settled_; })) {
      return std::unexpected(*ctx.error());
    }
    lock.unlock();
    return *outcome_;
  }

  void end(Error why) { producer_.cancel(std::move(why)); }

  std::optional<Clock::time_point> deadline() const { return context().deadline(); }

  const Context& context() const { return producer_.context(); }

 private:
  void tighten(const Context& ctx) {
    if (const auto deadline = ctx.deadline()) producer_.tighten(*deadline);
  }

  CancelSource producer_ = with_cancel(Context::background());
  mutable std::mutex mutex_;
  std::condition_variable_any settled_changed_;
  bool settled_ = false;  // guarded by mutex_
  std::optional<Result<T>> outcome_;
};

}  // namespace detail

template <class T>
class DeadlineFuture;
template <class T>
DeadlineFuture<T> go_with_deadline(Fn<Result<T>(const Context&)> fn);

template <class T>
class DeadlineFuture {
 public:
  DeadlineFuture(const DeadlineFuture&) = default;
  DeadlineFuture(DeadlineFuture&&) noexcept = default;
  DeadlineFuture& operator=(DeadlineFuture other) noexcept {
    std::swap(state_, other.state_);
    std::swap(handles_, other.handles_);
    return *this;
  }
  ~DeadlineFuture() {
    if (handles_ && handles_.use_count() == 1) {
      state_->end(Error{Errc::cancelled, "nobody holds a handle any more"});
    }
  }

  Result<T> await(const Context& ctx) { return state_->await(ctx); }

  std::optional<Clock::time_point> deadline() const { return state_->deadline(); }

  void cancel() { state_->end(Error{Errc::cancelled, "cancel() was called on the future"}); }

 private:
  friend DeadlineFuture go_with_deadline<T>(Fn<Result<T>(const Context&)>);
  explicit DeadlineFuture(std::shared_ptr<detail::DeadlineState<T>> state)
      : state_(std::move(state)) {}

  std::shared_ptr<detail::DeadlineState<T>> state_;           // fn's thread has it, too
  std::shared_ptr<char> handles_ = std::make_shared<char>();  // only handles have this
};

template <class T>
DeadlineFuture<T> go_with_deadline(Fn<Result<T>(const Context&)> fn) {
  auto state = std::make_shared<detail::DeadlineState<T>>();
  DeadlineFuture<T> future(state);
  spawn([state = std::move(state), fn = std::move(fn)]() mutable { state->run(std::move(fn)); });
  return future;
}

}  // namespace futures
