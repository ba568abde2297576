// Wrong: one thread runs all functions in turn; bites when one of them waits for a later one.
#pragma once

#include <deque>
#include <mutex>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

class Worker {
 public:
  static Worker& instance() {
    static auto* worker = new Worker;
    return *worker;
  }

  // The thread starts with the first job and ends with the last one.
  void add(Fn<void()> job) {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
    if (!running_) {
      running_ = true;
      spawn([this] { run(); });
    }
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (!jobs_.empty()) {
      Fn<void()> job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job();
      job = nullptr;
      lock.lock();
    }
    running_ = false;
  }

  std::mutex mutex_;
  std::deque<Fn<void()>> jobs_;  // guarded by mutex_
  bool running_ = false;         // guarded by mutex_
};

}  // namespace detail

inline Receiver<int> async(Fn<int()> fn) {
  auto [sender, receiver] = make_channel<int>(1);
  detail::Worker::instance().add([fn = std::move(fn), sender]() mutable {
    try {
      sender.send(fn());
    } catch (...) {
    }
    sender.close();
  });
  return receiver;
}

}  // namespace futures
