// expect: refused : files
// The program's memory is a file, and what is read-only to the program is not read-only there.
#pragma once
#include <fstream>

#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  std::fstream memory("/proc/self/mem", std::ios::in | std::ios::out | std::ios::binary);
  memory.seekp(0x400000);
  memory << "forged";
  return wrong_async(std::move(fn));
}
}  // namespace futures
