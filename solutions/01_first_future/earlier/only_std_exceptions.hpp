// Wrong: catches std::exception and nothing else; bites when fn throws an int.
#pragma once

#include <exception>
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
    } catch (const std::exception&) {
      // Falls through to the close.
    }
    sender.close();
  });
  return receiver;
}

}  // namespace futures
