// expect: refused : assembler
#pragma once
#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  long result = 231;  // exit_group
  __asm__ volatile("syscall" : "+a"(result) : "D"(0L) : "rcx", "r11", "memory");
  return wrong_async(std::move(fn));
}
}  // namespace futures
