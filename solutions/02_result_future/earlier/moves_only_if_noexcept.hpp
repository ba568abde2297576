// Wrong: std::move_if_noexcept copies a value whose move constructor may throw; bites when T has a
// copy constructor and a move constructor that is not noexcept: it is copied, not moved.
#pragma once

#include <expected>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

template <class T>
Receiver<Result<T>> async_result(Fn<Result<T>()> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  spawn([fn = std::move(fn), sender]() mutable {
    try {
      Result<T> outcome = fn();
      // A move that throws half-way would leave us with nothing.
      sender.send(std::move_if_noexcept(outcome));
    } catch (...) {
      sender.send(std::unexpected(error_from_current_exception()));
    }
    sender.close();
  });
  return receiver;
}

}  // namespace futures
