// Wrong: uses the channel of a frame that is gone; bites when async_result() returns first.
#pragma once

#include <expected>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

template <class T>
Receiver<Result<T>> async_result(Fn<Result<T>()> fn) {
  auto channel = make_channel<Result<T>>(1);
  Sender<Result<T>>& sender = channel.first;
  spawn([fn = std::move(fn), &sender]() mutable {
    try {
      sender.send(fn());
    } catch (...) {
      sender.send(std::unexpected(error_from_current_exception()));
    }
    sender.close();
  });
  return channel.second;
}

}  // namespace futures
