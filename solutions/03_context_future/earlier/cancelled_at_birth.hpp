// Wrong: the child context dies with the call that made it; bites always: fn is cancelled at once.
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
  // A child, so that the producer can be stopped alone.
  const CancelSource source = with_cancel(ctx);
  spawn([ctx = source.context(), fn = std::move(fn), sender]() mutable {
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
  auto message = future.receive(ctx);
  if (!message) return std::unexpected(message.error());
  return *std::move(message);
}

}  // namespace futures
