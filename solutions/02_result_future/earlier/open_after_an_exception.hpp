// Wrong: returns before the close when fn fails; bites when somebody asks for a second message.
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
      sender.send(fn());
    } catch (...) {
      sender.send(std::unexpected(error_from_current_exception()));
      return;
    }
    sender.close();
  });
  return receiver;
}

}  // namespace futures
