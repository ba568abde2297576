// Wrong: a "cancelled" that fn returned is replaced by the context's own reason; bites when fn
// words its own cancelled error (what was rolled back) or was cancelled by somebody else.
#pragma once

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
      Result<T> outcome = fn(ctx);
      // fn says no more than "I was told to stop": say why.
      if (!outcome && outcome.error().code == Errc::cancelled) {
        if (auto reason = ctx.error()) outcome = std::unexpected(*std::move(reason));
      }
      sender.send(std::move(outcome));
    } catch (...) {
      sender.send(std::unexpected(error_from_current_exception()));
    }
    sender.close();
  });
  return receiver;
}

template <class T>
Result<T> await(const Context& ctx, Receiver<Result<T>>& future) {
  Result<Result<T>> message = future.receive(ctx);
  if (!message) return std::unexpected(std::move(message).error());
  return *std::move(message);
}

}  // namespace futures
