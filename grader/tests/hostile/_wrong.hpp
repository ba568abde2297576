// A wrong version of task 1: the function is never called. Nothing that a corpus header tries may
// turn this into a pass.
#pragma once

#include <utility>

#include "runtime/channel.hpp"

namespace futures {

inline Receiver<int> wrong_async(Fn<int()>) {
  auto [sender, receiver] = make_channel<int>(1);
  sender.close();
  return receiver;
}

}  // namespace futures
