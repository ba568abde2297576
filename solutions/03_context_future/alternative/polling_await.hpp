// Right: polls in small steps, and looks once more after the context has ended.
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
    // What is known before the look: if one of these holds, nothing that counts can come after it.
    const bool last_look = ctx.done();
    const bool closed = future.closed();
    auto message = last_look || closed ? future.try_receive() : future.receive_for(2ms);
    if (message) return *std::move(message);
    if (closed) return std::unexpected(Error{Errc::closed, "the result was taken before"});
    if (last_look) return std::unexpected(*ctx.error());
  }
}

}  // namespace futures
