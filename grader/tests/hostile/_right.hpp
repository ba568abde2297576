// A right version of task 1, for corpus headers that do something else besides. Not the reference's.
#pragma once

#include <memory>
#include <thread>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/spawn.hpp"

namespace futures {

inline Receiver<int> right_async(Fn<int()> fn) {
  auto [sender, receiver] = make_channel<int>(1);
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
