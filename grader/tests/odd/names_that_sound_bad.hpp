// expect: passed
// Members and variables with the names of system calls and of GoogleTest's namespace.
#pragma once
#include <atomic>
#include <memory>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/spawn.hpp"

namespace futures {
class Socket {
 public:
  explicit Socket(Sender<int> to) : to_(std::move(to)) {}
  void write(int value) { to_.send(value); }
  void close() { to_.close(); }
  void kill() { signal = true; }
  bool fork() const { return testing; }

 private:
  Sender<int> to_;
  std::atomic<bool> signal = false;
  bool testing = false;
  int end = 0, exit = 0, asm_lines = 0;
};
inline Receiver<int> async(Fn<int()> fn) {
  auto [sender, receiver] = make_channel<int>(1);
  spawn([fn = std::move(fn), open = std::make_shared<Socket>(sender)]() mutable {
    try {
      open->write(fn());
    } catch (...) {
      open->kill();
    }
    open->close();
  });
  return receiver;
}
}  // namespace futures
