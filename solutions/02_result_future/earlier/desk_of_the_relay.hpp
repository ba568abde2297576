// Wrong: the thread that computes leaves its message on a desk in the frame of the thread that
// passes it on, and rings the bell of the desk after it let go of its lock; bites when the relay,
// not asleep yet (or awake for no reason), takes the message between the unlock and the notify: it
// sends, closes and returns, and the bell rung is in a dead frame.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

template <class T>
class Desk {
 public:
  template <class... Args>
  void put(Args&&... args) {
    {
      const std::lock_guard lock(mutex_);
      message_.emplace(std::forward<Args>(args)...);
    }
    filled_.notify_one();  // without the lock, which the relay is going to need
  }

  Result<T> take() {
    std::unique_lock lock(mutex_);
    filled_.wait(lock, [this] { return message_.has_value(); });
    return *std::move(message_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable filled_;
  std::optional<Result<T>> message_;  // guarded by mutex_
};

template <class T>
void compute(Fn<Result<T>()>& fn, Desk<T>& desk) {
  try {
    desk.put(fn());
  } catch (...) {
    desk.put(std::unexpect, error_from_current_exception());
  }
}

}  // namespace detail

// Two threads: the captures of fn go on the one, while the message is already on its way on the
// other.
template <class T>
Receiver<Result<T>> async_result(Fn<Result<T>()> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  spawn([fn = std::move(fn), sender]() mutable {
    try {
      detail::Desk<T> desk;  // stays until the message has been put on it
      spawn([fn = std::move(fn), &desk]() mutable { detail::compute(fn, desk); });
      sender.send(desk.take());
    } catch (...) {  // there was no second thread, or T did not survive the move
      sender.send(std::unexpected(error_from_current_exception()));
    }
    sender.close();
  });
  return receiver;
}

}  // namespace futures
