// Wrong: looks for the value, then at the context; bites when both come between the two looks.
#pragma once

#include <chrono>
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
  using namespace std::chrono_literals;
  for (;;) {
    if (auto message = future.receive_for(1ms)) return *std::move(message);
    if (const auto why = ctx.error()) return std::unexpected(*why);
    if (future.closed()) {
      // Closed, so what was sent is in it.
      if (auto message = future.try_receive()) return *std::move(message);
      return std::unexpected(Error{Errc::closed, "the future was awaited before"});
    }
  }
}

}  // namespace futures
