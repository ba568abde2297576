// Right: lets the exception go on to spawn(), which reports it; the channel is closed all the same.
#pragma once

#include <memory>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

inline Receiver<int> async(Fn<int()> fn) {
  auto [sender, receiver] = make_channel<int>(1);
  auto job = [fn = std::move(fn), sender]() mutable {
    const auto close = [&sender](void*) { sender.close(); };
    const std::unique_ptr<void, decltype(close)> at_the_end(&sender, close);
    sender.send(fn());
  };
  spawn(std::move(job));
  return receiver;
}

}  // namespace futures
