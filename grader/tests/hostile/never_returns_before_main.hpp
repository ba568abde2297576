// expect: failed|hung : before the first test|before its first test
// Where no watchdog looks yet.
#pragma once
#include "_wrong.hpp"
inline int never = [] {
  for (volatile int turn = 0;; turn = turn + 1) {
  }
  return 0;
}();
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
