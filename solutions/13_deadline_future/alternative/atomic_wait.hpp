// Right, and without a mutex of its own: awaiters sleep on an atomic bell, which fn's end rings
// and, through a stop callback, the end of their own context. Handles count themselves; each atomic
// says whose writes it publishes.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

template <class T>
struct RungState {
  void ring() {
    bell.fetch_add(1);
    bell.notify_all();
  }

  std::atomic<unsigned> bell{0};
  std::atomic<bool> settled{false};
  std::optional<Result<T>> outcome;  // published by settled
  std::atomic<int> handles{0};
  CancelSource producer = with_cancel(Context::background());
};

}  // namespace detail

template <class T>
class DeadlineFuture;
template <class T>
DeadlineFuture<T> go_with_deadline(Fn<Result<T>(const Context&)> fn);

template <class T>
class DeadlineFuture {
 public:
  DeadlineFuture(const DeadlineFuture& other) : DeadlineFuture(other.state_) {}
  DeadlineFuture(DeadlineFuture&& other) noexcept = default;
  DeadlineFuture& operator=(DeadlineFuture other) noexcept {
    state_.swap(other.state_);
    return *this;
  }
  ~DeadlineFuture() {
    if (state_ && state_->handles.fetch_sub(1) == 1) state_->producer.cancel();
  }

  Result<T> await(const Context& ctx) {
    auto& state = *state_;
    if (const auto deadline = ctx.deadline()) state.producer.tighten(*deadline);
    const std::stop_callback wake(ctx.stop_token(), [&] { state.ring(); });
    while (true) {
      const auto heard = state.bell.load();
      if (state.settled.load()) return *state.outcome;
      if (ctx.done()) {
        // The outcome may have come before the end of ctx, and both since the last look.
        if (state.settled.load()) return *state.outcome;
        return std::unexpected(*ctx.error());
      }
      state.bell.wait(heard);
    }
  }

  std::optional<Clock::time_point> deadline() const {
    return state_->producer.context().deadline();
  }

  void cancel() { state_->producer.cancel(Error{Errc::cancelled, "as you wish"}); }

 private:
  friend DeadlineFuture go_with_deadline<T>(Fn<Result<T>(const Context&)>);
  explicit DeadlineFuture(std::shared_ptr<detail::RungState<T>> state) : state_(std::move(state)) {
    if (state_) state_->handles.fetch_add(1);
  }

  std::shared_ptr<detail::RungState<T>> state_;
};

template <class T>
DeadlineFuture<T> go_with_deadline(Fn<Result<T>(const Context&)> fn) {
  auto state = std::make_shared<detail::RungState<T>>();
  DeadlineFuture<T> future(state);
  spawn([state = std::move(state), fn = std::move(fn)]() mutable {
    try {
      auto mine = std::move(fn);
      state->outcome.emplace(mine(state->producer.context()));
    } catch (...) {
      state->outcome.emplace(std::unexpected(error_from_current_exception()));
    }
    state->settled.store(true);
    state->ring();
    state->producer.cancel();
  });
  return future;
}

}  // namespace futures
