// Wrong: the thread refers to async()'s own fn; bites when async() returns before fn has run.
#pragma once

#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

inline Receiver<int> async(Fn<int()> fn) {
  auto channel = make_channel<int>(1);
  spawn([&fn, sender = channel.first]() mutable {
    try {
      sender.send(fn());
    } catch (...) {
    }
    sender.close();
  });
  return channel.second;
}

}  // namespace futures
