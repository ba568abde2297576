// Wrong: an error that fn returns after its context has ended is put down to that end, and the
// context's error takes its place; bites when fn, told to stop by a deadline or by cancel, returns
// an error of its own ("half of it is done, resume at 17") or had failed for another reason.
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
struct DeadlineState {
  CancelSource producer = with_cancel(Context::background());
  std::mutex mutex;
  std::condition_variable_any changed;
  std::optional<Result<T>> outcome;  // guarded by mutex

  static Result<T> call(Fn<Result<T>(const Context&)>& fn, const Context& context) {
    try {
      auto result = fn(context);
      // Stopped half-way: whoever asks shall hear why, whatever fn makes of it.
      if (!result && context.done()) return std::unexpected(*context.error());
      return result;
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  void run(Fn<Result<T>(const Context&)> fn) {
    auto result = call(fn, producer.context());
    fn = nullptr;
    producer.cancel();  // takes the timer back
    const std::lock_guard lock(mutex);
    outcome = std::move(result);
    changed.notify_all();
  }

  void stop() {
    const auto due = producer.context().deadline();
    if (due && *due <= Clock::now()) producer.tighten(*due);
    producer.cancel();
  }
};

// What the handles share. Its end is the end of the last handle.
template <class T>
struct DeadlineHandles {
  explicit DeadlineHandles(std::shared_ptr<DeadlineState<T>> s) : state(std::move(s)) {}
  DeadlineHandles(const DeadlineHandles&) = delete;
  DeadlineHandles& operator=(const DeadlineHandles&) = delete;
  ~DeadlineHandles() { state->stop(); }

  const std::shared_ptr<DeadlineState<T>> state;
};

}  // namespace detail

template <class T>
class DeadlineFuture {
 public:
  Result<T> await(const Context& ctx) {
    const auto state = handles_->state;
    const auto deadline = ctx.deadline();
    if (deadline) state->producer.tighten(*deadline);
    {
      std::unique_lock lock(state->mutex);
      if (state->changed.wait(lock, ctx.stop_token(), [&] { return state->outcome.has_value(); })) {
        return *state->outcome;
      }
    }
    if (deadline && *deadline <= Clock::now()) state->producer.tighten(*deadline);
    return std::unexpected(*ctx.error());
  }

  std::optional<Clock::time_point> deadline() const {
    return handles_->state->producer.context().deadline();
  }

  void cancel() {
    const auto state = handles_->state;
    state->stop();
  }

 private:
  template <class U>
  friend DeadlineFuture<U> go_with_deadline(Fn<Result<U>(const Context&)> fn);

  explicit DeadlineFuture(std::shared_ptr<detail::DeadlineHandles<T>> handles)
      : handles_(std::move(handles)) {}

  std::shared_ptr<detail::DeadlineHandles<T>> handles_;
};

template <class T>
DeadlineFuture<T> go_with_deadline(Fn<Result<T>(const Context&)> fn) {
  auto state = std::make_shared<detail::DeadlineState<T>>();
  DeadlineFuture<T> future(std::make_shared<detail::DeadlineHandles<T>>(state));
  spawn([state, fn = std::move(fn)]() mutable { state->run(std::move(fn)); });
  return future;
}

}  // namespace futures
