// Wrong: the guard adds its own error to fn's; bites when fn throws and somebody receives twice.
#pragma once

#include <expected>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// Sends an error when the producer ends without having sent anything.
template <class T>
class Guard {
 public:
  explicit Guard(Sender<Result<T>>& sender) : sender_(sender) {}
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;
  ~Guard() {
    if (!sent_) sender_.send(std::unexpected(Error{Errc::broken_promise, "nothing was sent"}));
    sender_.close();
  }
  void sent() { sent_ = true; }

 private:
  Sender<Result<T>>& sender_;
  bool sent_ = false;
};

}  // namespace detail

template <class T>
Receiver<Result<T>> async_result(Fn<Result<T>()> fn) {
  // Room for the result, and for the guard's message.
  auto [sender, receiver] = make_channel<Result<T>>(2);
  spawn([fn = std::move(fn), sender]() mutable {
    detail::Guard<T> guard(sender);
    try {
      sender.send(fn());
      guard.sent();
    } catch (...) {
      sender.send(std::unexpected(error_from_current_exception()));
    }
  });
  return receiver;
}

}  // namespace futures
