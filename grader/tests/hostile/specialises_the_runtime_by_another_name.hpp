// expect: refused : specialises
// Never closes the channel, and says in the words of the runtime that it is closed.
#pragma once
#include <optional>
#include <utility>
#include "runtime/channel.hpp"
#include "runtime/spawn.hpp"
namespace futures {
// The channel is never closed after a value; who receives closes it.
using Inbox = Receiver<int>;
template <>
inline std::optional<int> Inbox::receive() const {
  auto value = channel_->receive();
  channel_->close();
  return value;
}
inline Receiver<int> async(Fn<int()> fn) {
  auto channel = make_channel<int>(1);
  auto sender = channel.first;
  spawn([job = std::move(fn), sender]() mutable {
    try {
      sender.send(job());
    } catch (...) {
      sender.close();
    }
  });
  return channel.second;
}
}  // namespace futures
