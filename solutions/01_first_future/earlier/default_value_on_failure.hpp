// Wrong: a failure is delivered as the value 0; bites when fn throws and the caller believes the 0.
#pragma once

#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

inline Receiver<int> async(Fn<int()> fn) {
  auto [sender, receiver] = make_channel<int>(1);
  spawn([fn = std::move(fn), sender]() mutable {
    int value{};
    try {
      value = fn();
    } catch (...) {
      // Keep the default, so that nobody waits for ever.
    }
    sender.send(value);
    sender.close();
  });
  return receiver;
}

}  // namespace futures
