// expect: passed
// A spin loop with a pause, then the system call that waits.
#pragma once
#include <atomic>
#include <linux/futex.h>
#include <memory>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

#include "runtime/channel.hpp"
#include "runtime/spawn.hpp"

namespace futures {
class Started {
 public:
  void set() {
    flag_.store(1);
    ::syscall(SYS_futex, reinterpret_cast<int*>(&flag_), FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr,
              0);
  }
  void wait() {
    for (int turn = 0; turn < 100 && flag_.load() == 0; ++turn) {
#if defined(__x86_64__)
      __asm__ volatile("pause");
#endif
    }
    while (flag_.load() == 0) {
      ::syscall(SYS_futex, reinterpret_cast<int*>(&flag_), FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr,
                0);
    }
  }

 private:
  std::atomic<int> flag_ = 0;
};
inline Receiver<int> async(Fn<int()> fn) {
  auto [sender, receiver] = make_channel<int>(1);
  auto started = std::make_shared<Started>();
  spawn([fn = std::move(fn), sender, started]() mutable {
    started->set();
    try {
      sender.send(fn());
    } catch (...) {
    }
    sender.close();
  });
  started->wait();
  return receiver;
}
}  // namespace futures
