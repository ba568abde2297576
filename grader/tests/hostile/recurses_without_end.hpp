// expect: crashed : stack
#pragma once
#include "_wrong.hpp"
namespace futures {
inline int deeper(volatile int* above) {
  volatile int here = *above + 1;
  return deeper(&here) + here;
}
inline Receiver<int> async(Fn<int()> fn) {
  volatile int start = 0;
  deeper(&start);
  return wrong_async(std::move(fn));
}
}  // namespace futures
