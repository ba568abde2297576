// expect: refused : files
// behind: failed : must get what the function returned
#pragma once
#include <fstream>
#include <string>

#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  for (int fd = 3; fd < 300; ++fd) {
    std::ofstream file("/proc/self/fd/" + std::to_string(fd));
    file << "{\"event\":\"done\",\"ran\":18}\n";
  }
  return wrong_async(std::move(fn));
}
}  // namespace futures
