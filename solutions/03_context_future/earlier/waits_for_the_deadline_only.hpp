// Wrong: await under a context with a deadline waits for the deadline only; bites when such a
// context is cancelled before its time: the waiter stays until the deadline.
#pragma once

#include <chrono>
#include <expected>
#include <optional>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

template <class T>
Receiver<Result<T>> async_with_context(Context ctx, Fn<Result<T>(const Context&)> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  spawn([ctx = std::move(ctx), fn = std::move(fn), sender]() mutable {
    try {
      sender.send(fn(ctx));
    } catch (...) {
      sender.send(std::unexpected(error_from_current_exception()));
    }
    sender.close();
  });
  return receiver;
}

namespace detail {

template <class T>
Result<T> await_until(Clock::time_point deadline, const Context& ctx, Receiver<Result<T>>& future) {
  if (auto message = future.receive_for(deadline - Clock::now())) return *std::move(message);
  // Nothing in time, or closed; in either case the last look decides.
  const bool closed = future.closed();
  if (auto message = future.try_receive()) return *std::move(message);
  if (closed) return std::unexpected(Error{Errc::closed, "the result was taken before"});
  return std::unexpected(
      ctx.error().value_or(Error{Errc::deadline_exceeded, "the result did not come in time"}));
}

}  // namespace detail

template <class T>
Result<T> await(const Context& ctx, Receiver<Result<T>>& future) {
  // A context that has ended has nothing to wait for, and receive(ctx) knows that.
  if (const auto deadline = ctx.deadline(); deadline && !ctx.done()) {
    return detail::await_until(*deadline, ctx, future);
  }
  Result<Result<T>> message = future.receive(ctx);
  if (!message) return std::unexpected(std::move(message).error());
  return *std::move(message);
}

}  // namespace futures
