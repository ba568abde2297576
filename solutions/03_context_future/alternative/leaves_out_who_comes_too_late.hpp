// Right: a function whose context has ended before it could begin is not called, await() waits with
// a child of its context, and the message lies on the heap until it is posted.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace context_future {

template <class T>
std::unique_ptr<Result<T>> outcome(const Context& ctx, Fn<Result<T>(const Context&)> fn) {
  if (const std::optional<Error> why = ctx.error()) {
    return std::make_unique<Result<T>>(std::unexpect, *why);
  }
  try {
    return std::unique_ptr<Result<T>>(new Result<T>(fn(ctx)));
  } catch (...) {
    return std::make_unique<Result<T>>(std::unexpect, error_from_current_exception());
  }
}

template <class T>
void post(const Sender<Result<T>>& mailbox, std::unique_ptr<Result<T>> letter) {
  try {
    mailbox.send(Context::background(), std::move(*letter));
  } catch (...) {
    mailbox.try_send(Result<T>(std::unexpect, error_from_current_exception()));
  }
  mailbox.close();
}

}  // namespace context_future

template <class T>
Receiver<Result<T>> async_with_context(Context ctx, Fn<Result<T>(const Context&)> fn) {
  auto ends = make_channel<Result<T>>(1);
  auto work = [ctx = std::move(ctx), fn = std::move(fn), mailbox = ends.first]() mutable {
    context_future::post<T>(mailbox, context_future::outcome<T>(ctx, std::move(fn)));
  };
  spawn(std::move(work));
  return ends.second;
}

template <class T>
Result<T> await(const Context& ctx, Receiver<Result<T>>& future) {
  if (auto here = future.try_receive()) return *std::move(here);
  const CancelSource mine = with_cancel(ctx);  // ends with ctx, for the same reason
  auto message = future.receive(mine.context());
  return message.has_value() ? *std::move(message)
                             : Result<T>(std::unexpect, std::move(message).error());
}

}  // namespace futures
