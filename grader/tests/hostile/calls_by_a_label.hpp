// expect: refused : assembler
#pragma once
#include "_wrong.hpp"
char* instance() __asm__("_ZN7testing8UnitTest11GetInstanceEv");
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  instance()[64] = 0;
  return wrong_async(std::move(fn));
}
}  // namespace futures
