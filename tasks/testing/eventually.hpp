#pragma once

#include <chrono>
#include <concepts>
#include <thread>

#include "flavour.hpp"
#include "polling.hpp"

namespace workbook {

// Waits until pred() holds; false when it still didn't after `limit`, or when the watchdog saw that
// every other thread is blocked for good. For conditions that nothing can be waited on for; where a
// Gate, a future or a join does it, use that.
//
// pred is called on this thread, again and again, so it must be cheap and free of side effects.
template <std::predicate Pred>
[[nodiscard]] bool eventually(Pred pred, std::chrono::steady_clock::duration limit = patience) {
  using namespace std::chrono_literals;
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + limit;
  const detail::Polling polling;
  // Under the explorer time is virtual: sleeping is the only way to let it pass, and costs nothing.
  constexpr bool virtual_time = flavour() == Flavour::explored;
  constexpr Clock::duration longest = virtual_time ? Clock::duration(1s) : Clock::duration(2ms);
  Clock::duration pause = virtual_time ? Clock::duration(1ms) : Clock::duration(50us);
  for (int turn = 0;; ++turn) {
    if (pred()) return true;
    if (Clock::now() >= end || polling.hopeless()) return pred();
    if (!virtual_time && turn < 50) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(pause);
      if (pause < longest) pause *= 2;
    }
  }
}

}  // namespace workbook
