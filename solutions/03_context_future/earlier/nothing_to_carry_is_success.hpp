// Wrong: a closed future of void counts as success; bites at the second await of a Result<void>.
#pragma once

#include <type_traits>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

template <class T>
Receiver<Result<T>> async_with_context(Context ctx, Fn<Result<T>(const Context&)> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  spawn([ctx = std::move(ctx), fn = std::move(fn), sender = std::move(sender)]() mutable {
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
  auto received = future.receive(ctx);
  if (received) return *std::move(received);
  if constexpr (std::is_void_v<T>) {
    // Closed, so the producer is through; there is no value that could have been lost.
    if (received.error().code == Errc::closed) return {};
  }
  return std::unexpected(std::move(received).error());
}

}  // namespace futures
