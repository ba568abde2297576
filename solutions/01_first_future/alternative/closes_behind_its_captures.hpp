// Right: the channel is closed once fn is destroyed, by a member that outlives it.
#pragma once

#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// A sender that closes its channel when it goes away, whichever way the producer ends.
class ClosingSender {
 public:
  explicit ClosingSender(Sender<int> sender) : sender_(std::move(sender)) {}
  ClosingSender(ClosingSender&& other) noexcept
      : sender_(other.sender_), owns_(std::exchange(other.owns_, false)) {}
  ClosingSender& operator=(ClosingSender&&) = delete;
  ~ClosingSender() {
    if (owns_) sender_.close();
  }

  void send(int value) const { sender_.send(value); }

 private:
  Sender<int> sender_;
  bool owns_ = true;
};

struct Producer {
  ClosingSender out;
  Fn<int()> fn;

  void operator()() {
    try {
      out.send(fn());
    } catch (...) {
      // No value: the end of this object closes the channel, and that says it all.
    }
  }
};

}  // namespace detail

// Starts fn on a thread of its own and returns at once; the result arrives in the returned channel.
inline Receiver<int> async(Fn<int()> fn) {
  // Room for the value, so that the producer never waits for a consumer.
  auto [sender, receiver] = make_channel<int>(1);
  spawn(detail::Producer{detail::ClosingSender(std::move(sender)), std::move(fn)});
  return receiver;
}

}  // namespace futures
