// Wrong: a thread watches the context of each future; bites when the context never ends.
#pragma once

#include <condition_variable>
#include <expected>
#include <mutex>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

template <class T>
Receiver<Result<T>> async_with_context(Context ctx, Fn<Result<T>(const Context&)> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  // Wakes the waiter when the context ends, whatever fn does.
  spawn([ctx, sender]() mutable {
    std::mutex mutex;
    std::condition_variable_any ended;
    std::unique_lock lock(mutex);
    ended.wait(lock, ctx.stop_token(), [] { return false; });
    sender.try_send(std::unexpected(*ctx.error()));
  });
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
  auto message = future.receive(ctx);
  if (!message) return std::unexpected(message.error());
  return *std::move(message);
}

}  // namespace futures
