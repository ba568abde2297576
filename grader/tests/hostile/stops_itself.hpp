// expect: refused : raise
// behind: hung : stopped
// Stands still without ending, and its watchdog with it.
#pragma once
#include <csignal>

#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  std::raise(SIGSTOP);
  return wrong_async(std::move(fn));
}
}  // namespace futures
