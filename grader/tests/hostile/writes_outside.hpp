// expect: refused : files
// behind: failed : must get what the function returned
#pragma once
#include <fstream>

#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  for (const char* file : {"/etc/motd", "/usr/bin/true", "/box/program", "/box/forged", "/forged",
                           "@CANARY@/canary.txt", "/proc/sys/kernel/core_pattern"}) {
    std::ofstream(file, std::ios::app) << "forged\n";
  }
  return wrong_async(std::move(fn));
}
}  // namespace futures
