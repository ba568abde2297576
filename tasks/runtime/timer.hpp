// One thread that keeps the deadlines of all contexts.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "error.hpp"

namespace futures {

using Clock = std::chrono::steady_clock;

namespace detail {

// now + duration, without overflow: "as long as it takes" is a duration, too.
template <class Rep, class Period>
Clock::time_point after(std::chrono::duration<Rep, Period> duration) {
  const auto now = Clock::now();
  const auto rest = Clock::time_point::max() - now;
  return duration < rest ? now + std::chrono::ceil<Clock::duration>(duration)
                         : Clock::time_point::max();
}

// Calls functions at points in time. The thread starts with the first entry and ends with the last
// one, so that a program without deadlines has no extra thread, and neither has a test that is
// over.
class Timer {
 public:
  using Id = std::pair<Clock::time_point, std::uint64_t>;

  // Never destroyed: its thread is detached and may outlive main().
  static Timer& instance() {
    static auto* timer = new Timer;
    return *timer;
  }

  // fn runs once, on the timer's thread, at `when` or soon after. It must be short: every other
  // deadline waits for it. Safe to call from any thread, from fn as well. Throws std::system_error
  // when the system has no thread to give; nothing is scheduled then.
  Id schedule(Clock::time_point when, Fn<void()> fn) {
    const std::lock_guard lock(mutex_);
    if (!running_) {
      std::thread([this] { run(); }).detach();
      running_ = true;
    }
    const auto entry = entries_.emplace(Id(when, ++last_id_), std::move(fn)).first;
    if (entry == entries_.begin()) wake_.notify_one();
    return entry->first;
  }

  // Takes an entry back. One that has already started may still be running after cancel() returned:
  // fn must not rely on anything that its owner destroys then.
  void cancel(const Id& id) {
    // Destroyed after the lock is released: the captures may own a context with a timer of its own.
    decltype(entries_)::node_type doomed;
    const std::lock_guard lock(mutex_);
    doomed = entries_.extract(id);
    if (entries_.empty()) wake_.notify_one();
  }

  // How many entries are waiting.
  std::size_t pending() const {
    const std::lock_guard lock(mutex_);
    return entries_.size();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (!entries_.empty()) {
      const auto when = entries_.begin()->first.first;
      if (Clock::now() < when) {
        wake_.wait_until(lock, when);
        continue;  // the first entry may be another one by now
      }
      auto due = entries_.extract(entries_.begin());
      lock.unlock();
      due.mapped()();
      due = {};  // outside the lock, see cancel()
      lock.lock();
    }
    running_ = false;
  }

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::map<Id, Fn<void()>> entries_;  // guarded by mutex_, as all below
  std::uint64_t last_id_ = 0;
  bool running_ = false;
};

}  // namespace detail
}  // namespace futures
