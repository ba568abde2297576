// expect: refused : attribute alias
#pragma once
#include "_wrong.hpp"
extern "C" inline long nothing(int, const void*, unsigned long size) {
  return static_cast<long>(size);
}
extern "C" long write(int, const void*, unsigned long) __attribute__((alias("nothing")));
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
