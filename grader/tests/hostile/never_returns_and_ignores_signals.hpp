// expect: refused : signal
// behind: hung : without coming to an end
#pragma once
#include <csignal>

#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  for (int number = 1; number < 32; ++number) std::signal(number, SIG_IGN);
  for (volatile int turn = 0;; turn = turn + 1) {
  }
  return wrong_async(std::move(fn));
}
}  // namespace futures
