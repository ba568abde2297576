// expect: crashed : printed without end
#pragma once
#include <cstdio>

#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  for (;;) std::puts("all tests passed all tests passed all tests passed all tests passed");
  return wrong_async(std::move(fn));
}
}  // namespace futures
