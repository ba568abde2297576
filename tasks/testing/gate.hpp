#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>

#include "eventually.hpp"
#include "flavour.hpp"
#include "polling.hpp"

namespace workbook {

// A gate that opens once and stays open. Orders events without sleeping: one thread waits until
// another has come to a certain point.
//
// Every member may be called from any thread. What happened before open() is visible to whoever
// came through, so don't use one between two accesses that are meant to race. The gate may be
// destroyed as soon as everybody's call has returned.
class Gate {
 public:
  Gate() = default;
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    opened_.notify_all();  // under the lock: a waiter may destroy the gate once it is through
  }

  void wait() {
    std::unique_lock lock(mutex_);
    opened_.wait(lock, [this] { return open_; });
  }

  // False when the gate was still shut after `limit`, or when the watchdog saw that every other
  // thread is blocked for good, so that the test can go on to say what it missed.
  [[nodiscard]] bool wait_for(std::chrono::steady_clock::duration limit = patience) {
    const auto end = std::chrono::steady_clock::now() + limit;
    std::unique_lock lock(mutex_);
    if constexpr (flavour() == Flavour::explored) {
      return opened_.wait_until(lock, end, [this] { return open_; });
    }
    const detail::Polling polling;
    while (!open_ && std::chrono::steady_clock::now() < end && !polling.hopeless()) {
      opened_.wait_for(lock, std::chrono::milliseconds(50));
    }
    return open_;
  }

  bool is_open() const {
    const std::lock_guard lock(mutex_);
    return open_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable opened_;
  bool open_ = false;  // guarded by mutex_
};

// For functions that must all be able to run at the same time: each calls meet(), the test
// all_met().
class Meeting {
 public:
  explicit Meeting(std::size_t expected) : expected_(expected) {}

  // Blocks until all_met() has looked.
  void meet() {
    ++here_;
    over_.wait();
  }

  // Waits until everybody is there, and lets them go; false when somebody never came.
  [[nodiscard]] bool all_met() {
    const bool all = eventually([this] { return here_ == expected_; });
    over_.open();
    return all;
  }

  std::size_t here() const { return here_; }

 private:
  const std::size_t expected_;
  std::atomic<std::size_t> here_{0};
  Gate over_;
};

}  // namespace workbook
