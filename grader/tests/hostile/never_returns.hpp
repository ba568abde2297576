// expect: hung : without coming to an end
#pragma once
#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  for (volatile int turn = 0;; turn = turn + 1) {
  }
  return wrong_async(std::move(fn));
}
}  // namespace futures
