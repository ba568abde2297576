// Wrong: gives an error without a text one of its own; bites when fn returns such an error: its
// text is part of what fn said.
#pragma once

#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// An error without a text helps nobody.
inline Error readable(Error error) {
  if (error.message.empty()) error.message = error.code.message();
  return error;
}

template <class T>
Result<T> call(Fn<Result<T>()>& fn) {
  Result<T> result = fn();
  if (!result) return std::unexpected(readable(std::move(result).error()));
  return result;
}

}  // namespace detail

template <class T>
Receiver<Result<T>> async_result(Fn<Result<T>()> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  spawn([sender = sender, fn = std::move(fn)]() mutable {
    try {
      sender.send(detail::call<T>(fn));
    } catch (...) {
      sender.send(std::unexpected(error_from_current_exception()));
    }
    sender.close();
  });
  return receiver;
}

}  // namespace futures
