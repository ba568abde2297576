// Right: the producer is a coroutine that starts suspended and is resumed by the new thread; its
// frame owns fn.
#pragma once

#include <coroutine>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// Owns a suspended coroutine until it is resumed; from then on the frame destroys itself.
class Producer {
 public:
  struct promise_type {
    Producer get_return_object() {
      return Producer(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept {}  // the body lets none out
  };

  Producer(Producer&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Producer& operator=(Producer&&) = delete;
  ~Producer() {
    if (frame_) frame_.destroy();
  }

  void operator()() { std::exchange(frame_, nullptr).resume(); }

 private:
  explicit Producer(std::coroutine_handle<promise_type> frame) : frame_(frame) {}

  std::coroutine_handle<promise_type> frame_;
};

inline Producer produce(Fn<int()> fn, Sender<int> sender) {
  try {
    sender.send(fn());
  } catch (...) {
  }
  sender.close();
  co_return;
}

}  // namespace detail

inline Receiver<int> async(Fn<int()> fn) {
  auto [sender, receiver] = make_channel<int>(1);
  spawn(detail::produce(std::move(fn), std::move(sender)));
  return receiver;
}

}  // namespace futures
