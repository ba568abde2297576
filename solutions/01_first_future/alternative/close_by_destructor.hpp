// Right: the channel is closed by the destructor of the last owner of the sending end.
#pragma once

#include <memory>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

class OneShot {
 public:
  explicit OneShot(Sender<int> sender) : sender_(std::move(sender)) {}
  OneShot(const OneShot&) = delete;
  OneShot& operator=(const OneShot&) = delete;
  ~OneShot() { sender_.close(); }

  void deliver(int value) { sender_.try_send(value); }

 private:
  Sender<int> sender_;
};

}  // namespace detail

inline Receiver<int> async(Fn<int()> fn) {
  auto channel = make_channel<int>(1);
  auto shot = std::make_unique<detail::OneShot>(std::move(channel.first));
  spawn([fn = std::move(fn), shot = std::move(shot)]() mutable noexcept {
    try {
      shot->deliver(fn());
    } catch (...) {
    }
  });
  return std::move(channel.second);
}

}  // namespace futures
