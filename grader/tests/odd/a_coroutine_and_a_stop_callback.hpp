// expect: passed
// A coroutine that hops to a thread, std::any, typeid, regex: whatever the library has.
#pragma once
#include <any>
#include <coroutine>
#include <exception>
#include <iostream>
#include <regex>
#include <stop_token>
#include <thread>
#include <typeinfo>

#include "runtime/channel.hpp"

namespace futures {
struct Task {
  struct promise_type {
    Task get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};
struct OnAThread {
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> self) { std::thread(self).detach(); }
  void await_resume() const noexcept {}
};
inline Task run(Fn<int()> fn, Sender<int> sender) {
  co_await OnAThread{};
  std::stop_source source;
  const std::stop_callback close(source.get_token(), [&] { sender.close(); });
  try {
    std::any value = fn();
    if (value.type() == typeid(int)) sender.send(std::any_cast<int>(value));
  } catch (...) {
    if (std::regex_match("x", std::regex("y"))) std::cerr << "never\n";
  }
  source.request_stop();
}
inline Receiver<int> async(Fn<int()> fn) {
  auto [sender, receiver] = make_channel<int>(1);
  run(std::move(fn), sender);
  return receiver;
}
}  // namespace futures
