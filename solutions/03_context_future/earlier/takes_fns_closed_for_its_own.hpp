// Wrong: takes an Errc::closed in the message for the closed channel; bites when fn itself fails
// with that code: its text is lost.
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
  spawn([ctx = std::move(ctx), fn = std::move(fn), sender = sender]() mutable {
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
  Result<T> result = message ? *std::move(message) : std::unexpected(std::move(message).error());
  if (!result && result.error().code == Errc::closed) {
    return std::unexpected(Error{Errc::invalid_argument, "the result has been taken already"});
  }
  return result;
}

}  // namespace futures
