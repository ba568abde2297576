// expect: refused : files
// behind: crashed : too large
#pragma once
#include <fstream>
#include <vector>

#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  const std::vector<char> block(1 << 20, 'x');
  std::ofstream file("/tmp/large");
  for (int i = 0; i < 40; ++i) file.write(block.data(), 1 << 20).flush();
  return wrong_async(std::move(fn));
}
}  // namespace futures
