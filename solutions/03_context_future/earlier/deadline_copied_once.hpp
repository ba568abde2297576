// Wrong: fn gets a context of its own that copies the caller's deadline once and follows its end;
// bites when the caller tightens its deadline later: fn's deadline() still says the old one.
#pragma once

#include <expected>
#include <functional>
#include <optional>
#include <stop_token>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// A context for the producer alone, that follows the caller's: same end, same reason, same
// deadline.
inline CancelSource mirror(const Context& ctx) {
  const auto deadline = ctx.deadline();
  return deadline ? with_deadline(Context::background(), *deadline)
                  : with_cancel(Context::background());
}

}  // namespace detail

template <class T>
Receiver<Result<T>> async_with_context(Context ctx, Fn<Result<T>(const Context&)> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  spawn([ctx = std::move(ctx), fn = std::move(fn), sender]() mutable {
    CancelSource own = detail::mirror(ctx);
    const std::stop_callback follow(ctx.stop_token(), [&] { own.cancel(*ctx.error()); });
    try {
      sender.send(fn(own.context()));
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
