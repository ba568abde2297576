// Wrong: waits until the deadline and no longer; bites when the context is cancelled before it.
#pragma once

#include <expected>
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

template <class T>
Result<T> await(const Context& ctx, Receiver<Result<T>>& future) {
  const auto deadline = ctx.deadline();
  auto message = deadline ? future.receive_for(*deadline - Clock::now()) : future.receive();
  if (message) return *std::move(message);
  if (future.closed()) return std::unexpected(Error{Errc::closed, "the future was awaited before"});
  return std::unexpected(Error{Errc::deadline_exceeded, "the result did not come in time"});
}

}  // namespace futures
