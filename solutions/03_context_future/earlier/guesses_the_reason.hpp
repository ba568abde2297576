// Any end of a context whose deadline has passed is told as that: another reason is lost.
#pragma once

#include <expected>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace context_future {

template <class T>
Result<T> call(const Context& ctx, Fn<Result<T>(const Context&)>& fn) {
  try {
    return fn(ctx);
  } catch (...) {
    return std::unexpected(error_from_current_exception());
  }
}

}  // namespace context_future

template <class T>
Receiver<Result<T>> async_with_context(Context ctx, Fn<Result<T>(const Context&)> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  spawn([ctx = std::move(ctx), fn = std::move(fn), sender = sender]() mutable {
    try {
      sender.send(context_future::call<T>(ctx, fn));
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
  if (message) return *std::move(message);
  if (const auto deadline = ctx.deadline(); deadline && *deadline <= Clock::now()) {
    return std::unexpected(Error{Errc::deadline_exceeded, "the deadline of the context passed"});
  }
  return std::unexpected(std::move(message).error());
}

}  // namespace futures
