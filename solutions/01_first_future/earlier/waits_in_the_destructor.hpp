// Wrong: std::async's future waits in its destructor; bites always: async() blocks until fn ends.
#pragma once

#include <future>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"

namespace futures {

inline Receiver<int> async(Fn<int()> fn) {
  auto channel = make_channel<int>(1);
  auto producer = [fn = std::move(fn), sender = channel.first]() mutable {
    try {
      sender.send(fn());
    } catch (...) {
    }
    sender.close();
  };
  auto running = std::async(std::launch::async, std::move(producer));
  return channel.second;
}

}  // namespace futures
