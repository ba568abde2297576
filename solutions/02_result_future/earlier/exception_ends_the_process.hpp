// Wrong: handles only the errors that fn returns; bites when fn throws: std::terminate.
#pragma once

#include <thread>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"

namespace futures {

template <class T>
Receiver<Result<T>> async_result(Fn<Result<T>()> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  std::thread([fn = std::move(fn), sender]() mutable {
    sender.send(fn());
    sender.close();
  }).detach();
  return receiver;
}

}  // namespace futures
