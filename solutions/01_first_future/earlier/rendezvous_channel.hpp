// Wrong: no room in the channel, the producer waits; bites when a future is abandoned.
#pragma once

#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

inline Receiver<int> async(Fn<int()> fn) {
  auto [sender, receiver] = make_channel<int>(0);
  spawn([fn = std::move(fn), sender]() mutable {
    try {
      sender.send(fn());
    } catch (...) {
    }
    sender.close();
  });
  return receiver;
}

}  // namespace futures
