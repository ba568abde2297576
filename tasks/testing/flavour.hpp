// Which build of a suite this is, and how much of a test it can carry.
#pragma once

#include <chrono>
#include <cstddef>
#include <thread>

namespace workbook {

enum class Flavour {
  plain,     // as fast as it gets: the big crowds
  thread,    // under ThreadSanitizer
  address,   // under AddressSanitizer, UndefinedBehaviorSanitizer and LeakSanitizer
  explored,  // every test runs under many schedules, with a virtual clock
};

constexpr Flavour flavour() {
#if defined(WORKBOOK_FLAVOUR_THREAD)
  return Flavour::thread;
#elif defined(WORKBOOK_FLAVOUR_ADDRESS)
  return Flavour::address;
#elif defined(WORKBOOK_FLAVOUR_EXPLORED)
  return Flavour::explored;
#else
  return Flavour::plain;
#endif
}

// The explorer's build runs the tests of the suite Explored and no others, and so it need not
// compile them: a half to three quarters of its time.
#if defined(WORKBOOK_FLAVOUR_EXPLORED)
#define WORKBOOK_RUNS_EXPLORED_ONLY
#endif

// How many threads a test that wants `wanted` live ones may have: sanitizers pay megabytes for
// each, and the explorer's schedules multiply with them.
constexpr std::size_t crowd(std::size_t wanted) {
  const std::size_t most = flavour() == Flavour::plain      ? wanted
                           : flavour() == Flavour::explored ? 3
                                                            : 200;
  return wanted < most ? wanted : most;
}

// How often a test that wants `wanted` rounds shall repeat. Never 0.
constexpr std::size_t rounds(std::size_t wanted) {
  const std::size_t asked = flavour() == Flavour::plain      ? wanted
                            : flavour() == Flavour::explored ? 1
                                                             : wanted / 4;
  return asked == 0 ? 1 : asked;
}

// Under the explorer, whose clock stands still while anybody can move: until everybody else has
// come to wait for more than this time. That takes the schedules in which somebody has not got so
// far off those to be tried. In real time nobody can know: false, at once.
inline bool let_all_wait(std::chrono::nanoseconds time = std::chrono::milliseconds(1)) {
  if constexpr (flavour() != Flavour::explored) return false;
  std::this_thread::sleep_for(time);
  return true;
}

// An upper bound for waits that must end. A right version never needs it, and a loaded machine
// keeps it too: use it where a flawed version would wait for ever.
inline constexpr std::chrono::seconds patience{30};

}  // namespace workbook
