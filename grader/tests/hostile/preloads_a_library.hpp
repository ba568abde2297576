// expect: refused : execl|setenv
#pragma once
#include <cstdlib>
#include <unistd.h>

#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  ::setenv("LD_PRELOAD", "/tmp/forged.so", 1);
  ::execl("/proc/self/exe", "program", nullptr);
  return wrong_async(std::move(fn));
}
}  // namespace futures
