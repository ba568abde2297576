// expect: refused : clock_gettime()
#pragma once
#include <ctime>

#include "_right.hpp"
extern "C" int clock_gettime(clockid_t, timespec* now) noexcept {
  *now = {};
  return 0;
}
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return right_async(std::move(fn)); }
}  // namespace futures
