// expect: refused : attribute weak
#pragma once
#include "_wrong.hpp"
extern "C" __attribute__((weak)) long write(int, const void*, unsigned long size) {
  return static_cast<long>(size);
}
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
