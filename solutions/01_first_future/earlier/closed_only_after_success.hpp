// Wrong: an exception skips the close; bites when fn throws and somebody waits for the value.
#pragma once

#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

inline Receiver<int> async(Fn<int()> fn) {
  auto [sender, receiver] = make_channel<int>(1);
  spawn([fn = std::move(fn), sender]() mutable {
    try {
      sender.send(fn());
      sender.close();
    } catch (...) {
      // Nothing to deliver.
    }
  });
  return receiver;
}

}  // namespace futures
