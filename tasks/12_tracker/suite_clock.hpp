// Task 12: clocks under control. Whoever asks what time it is, asks here: this program's own
// clock_gettime() comes before the system's. Only in the plain build; sanitizers and the explorer
// have one of their own, and there the clocks simply run.
#pragma once

#include <atomic>
#include <chrono>
#include <ctime>
#include <functional>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

#include "testing/flavour.hpp"

namespace tracker_suite {

// While one is alive, the wall clock is wrong by `error`, as if an administrator or a time server
// had just set it. The steady clock takes no notice: that is what it is for.
class WallClockIsSet {
 public:
  explicit WallClockIsSet(std::chrono::seconds error) { offset = error.count(); }
  WallClockIsSet(const WallClockIsSet&) = delete;
  WallClockIsSet& operator=(const WallClockIsSet&) = delete;
  ~WallClockIsSet() { offset = 0; }

  static inline std::atomic<std::time_t> offset{0};
};

// While one is alive, the next look of this thread at the steady clock calls `then` before it says
// what it saw, so that the answer is old news.
class SlowLookAtTheClock {
 public:
  explicit SlowLookAtTheClock(std::function<void()> then) { next = std::move(then); }
  SlowLookAtTheClock(const SlowLookAtTheClock&) = delete;
  SlowLookAtTheClock& operator=(const SlowLookAtTheClock&) = delete;
  ~SlowLookAtTheClock() { next = nullptr; }

  static void looked() {
    if (next) std::exchange(next, nullptr)();
  }

 private:
  static inline thread_local std::function<void()> next;
};

}  // namespace tracker_suite

#if !defined(WORKBOOK_FLAVOUR_THREAD) && !defined(WORKBOOK_FLAVOUR_ADDRESS)
extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const auto failed = static_cast<int>(::syscall(SYS_clock_gettime, clock, time));
  if (failed != 0) return failed;
  if (clock == CLOCK_REALTIME) time->tv_sec += tracker_suite::WallClockIsSet::offset;
  if (clock == CLOCK_MONOTONIC) tracker_suite::SlowLookAtTheClock::looked();
  return 0;
}
#endif
