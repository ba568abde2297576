// Wrong: runs fn on the caller's thread when the context has ended, for it will be quick; bites
// when it is not.
#pragma once

#include <utility>

#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

template <class T>
Receiver<Result<T>> async_with_context(Context ctx, Fn<Result<T>(const Context&)> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  const bool ended = ctx.done();
  auto produce = [sender, ctx = std::move(ctx), fn = std::move(fn)]() mutable {
    try {
      sender.send(fn(ctx));
    } catch (...) {
      sender.send(std::unexpected(error_from_current_exception()));
    }
    sender.close();
  };
  if (ended) {
    produce();  // nothing much will happen: not worth a thread
  } else {
    spawn(std::move(produce));
  }
  return receiver;
}

template <class T>
Result<T> await(const Context& ctx, Receiver<Result<T>>& future) {
  auto message = future.receive(ctx);
  if (!message) return std::unexpected(std::move(message).error());
  return *std::move(message);
}

}  // namespace futures
