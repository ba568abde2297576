// Wrong: says "done" before the value is sent; bites when the closing thread runs between the two.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

inline Receiver<int> async(Fn<int()> fn) {
  auto [sender, receiver] = make_channel<int>(1);
  auto done = std::make_shared<std::atomic<bool>>(false);

  // Closes whatever happens to the producer.
  spawn([sender, done]() mutable {
    done->wait(false);
    sender.close();
  });

  spawn([fn = std::move(fn), sender, done]() mutable {
    try {
      const int value = fn();
      done->store(true);
      done->notify_one();
      sender.send(value);
    } catch (...) {
      done->store(true);
      done->notify_one();
    }
  });
  return receiver;
}

}  // namespace futures
