// Wrong: await() holds a lock while it waits, so that one of many gets the result; bites when a
// second awaiter's context ends: it waits for the first one, and not for its own context.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// One lock per future would need a place in the future; a table of them is as good.
inline std::mutex& lock_of(const void* future) {
  static auto* table = new std::array<std::mutex, 64>;
  return (*table)[(reinterpret_cast<std::uintptr_t>(future) >> 4) % table->size()];
}

}  // namespace detail

template <class T>
Receiver<Result<T>> async_with_context(Context ctx, Fn<Result<T>(const Context&)> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  // The last owner of the sending end closes it.
  std::shared_ptr<const Sender<Result<T>>> out(new Sender<Result<T>>(sender), [](auto* last) {
    last->close();
    delete last;
  });
  spawn([out = std::move(out), ctx = std::move(ctx), fn = std::move(fn)]() mutable {
    try {
      out->send(fn(ctx));
    } catch (...) {
      out->send(std::unexpected(error_from_current_exception()));
    }
  });
  return receiver;
}

template <class T>
Result<T> await(const Context& ctx, Receiver<Result<T>>& future) {
  const std::lock_guard lock(detail::lock_of(&future));  // one after the other
  auto message = future.receive(ctx);
  return message ? *std::move(message) : std::unexpected(std::move(message.error()));
}

}  // namespace futures
