// Right: the thread takes the function from the caller's frame, and the caller stays until it has.
#pragma once

#include <memory>
#include <semaphore>
#include <thread>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"

namespace futures {

inline Receiver<int> async(Fn<int()> fn) {
  auto channel = make_channel<int>(1);
  // Shared: release() may still be inside the semaphore when acquire() has already returned.
  auto taken = std::make_shared<std::binary_semaphore>(0);

  std::thread([&fn, taken, sender = channel.first]() mutable {
    Fn<int()> mine = std::move(fn);
    taken->release();
    // Waits for nobody from here on, so the caller was held up by the start of a thread, no more.
    int value = 0;
    bool returned = false;
    try {
      value = mine();
      returned = true;
    } catch (...) {
    }
    mine = nullptr;  // the captures go first, and whoever gets the value knows that they are gone
    if (returned) sender.send(value);
    sender.close();
  }).detach();

  taken->acquire();
  return channel.second;
}

}  // namespace futures
