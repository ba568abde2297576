// Wrong: all producers share one variable for the last error; bites when two of them fail at once.
#pragma once

#include <expected>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

inline Error last_error;

}  // namespace detail

template <class T>
Receiver<Result<T>> async_result(Fn<Result<T>()> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  spawn([fn = std::move(fn), sender]() mutable {
    try {
      Result<T> result = fn();
      if (!result) detail::last_error = result.error();
      sender.send(std::move(result));
    } catch (...) {
      detail::last_error = error_from_current_exception();
      sender.send(std::unexpected(detail::last_error));
    }
    sender.close();
  });
  return receiver;
}

}  // namespace futures
