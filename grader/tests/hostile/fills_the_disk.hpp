// expect: refused : files
// behind: crashed|failed : must get what the function returned|too large
#pragma once
#include <fstream>
#include <string>
#include <vector>

#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  static const bool once = [] {
    const std::vector<char> block(1 << 20, 'x');
    for (const std::string folder : {"/tmp/", "/dev/shm/", "/var/tmp/", "/box/"}) {
      for (int number = 0; number < 200; ++number) {
        std::ofstream file(folder + std::to_string(number));
        for (int i = 0; i < 15 && file; ++i) file.write(block.data(), 1 << 20);
      }
    }
    return true;
  }();
  return once ? wrong_async(std::move(fn)) : wrong_async({});
}
}  // namespace futures
