// Wrong: every thread is kept joinable in a list until the program ends; bites with many futures
// (each keeps its stack although its function has long returned) and at exit, which waits for
// functions that nobody cares about.
#pragma once

#include <list>
#include <mutex>
#include <thread>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// Detached threads are hard to reason about. Here each one is joined, at the latest when the
// program ends.
class Threads {
 public:
  static Threads& instance() {
    static Threads threads;
    return threads;
  }

  template <class Function>
  void start(Function function) {
    const std::lock_guard lock(mutex_);
    threads_.emplace_back(std::move(function));
  }

 private:
  std::mutex mutex_;
  std::list<std::jthread> threads_;  // guarded by mutex_
};

}  // namespace detail

inline Receiver<int> async(Fn<int()> fn) {
  auto [sender, receiver] = make_channel<int>(1);
  detail::Threads::instance().start([fn = std::move(fn), sender]() mutable {
    {
      auto task = std::move(fn);
      try {
        sender.send(task());
      } catch (...) {
      }
      sender.close();
    }
  });
  return receiver;
}

}  // namespace futures
