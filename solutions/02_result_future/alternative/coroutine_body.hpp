// Right: the producer is a coroutine; its frame keeps fn and the sender, and the spawned thread
// owns the frame, resumes it once and destroys it.
#pragma once

#include <coroutine>
#include <exception>
#include <expected>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// A coroutine that has not begun. Whoever has it may run it once, and frees its frame.
class Suspended {
 public:
  struct promise_type {
    Suspended get_return_object() {
      return Suspended(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    static std::suspend_always initial_suspend() noexcept { return {}; }
    static std::suspend_always final_suspend() noexcept { return {}; }
    static void return_void() noexcept {}
    // The body lets nothing out but what send() throws twice in a row: pass it on to the thread.
    [[noreturn]] static void unhandled_exception() { throw; }
  };

  explicit Suspended(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
  Suspended(Suspended&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Suspended& operator=(Suspended&&) = delete;
  ~Suspended() {
    if (frame_) frame_.destroy();
  }

  void operator()() { frame_.resume(); }

 private:
  std::coroutine_handle<promise_type> frame_;
};

// The parameters are moved into the frame, and go when it goes.
template <class T>
Suspended produce(Fn<Result<T>()> fn, Sender<Result<T>> sender) {
  try {
    sender.send(fn());
  } catch (...) {
    sender.send(std::unexpected(error_from_current_exception()));
  }
  sender.close();
  co_return;
}

}  // namespace detail

template <class T>
Receiver<Result<T>> async_result(Fn<Result<T>()> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  spawn(detail::produce<T>(std::move(fn), std::move(sender)));
  return receiver;
}

}  // namespace futures
