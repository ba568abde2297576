// Wrong: an exception leaves the thread's function; bites when fn throws: std::terminate.
#pragma once

#include <thread>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"

namespace futures {

inline Receiver<int> async(Fn<int()> fn) {
  auto [sender, receiver] = make_channel<int>(1);
  std::thread([fn = std::move(fn), sender]() mutable {
    sender.send(fn());
    sender.close();
  }).detach();
  return receiver;
}

}  // namespace futures
