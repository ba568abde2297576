// Wrong: await takes any error with the code closed for the channel's; bites when that is why
// somebody cancelled.
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
  spawn([sender, ctx = std::move(ctx), fn = std::move(fn)]() mutable {
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
  if (message) return *std::move(message);
  if (message.error().code == Errc::closed) {
    return std::unexpected(
        Error{Errc::already_settled, "the result of this future was taken before"});
  }
  return std::unexpected(std::move(message).error());
}

}  // namespace futures
