// Wrong: calls every failure under a dead context a cancellation; bites when fn failed by itself.
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
      Result<T> result = fn(ctx);
      // It failed because it was told to stop.
      if (!result && ctx.done()) result = std::unexpected(*ctx.error());
      sender.send(std::move(result));
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
