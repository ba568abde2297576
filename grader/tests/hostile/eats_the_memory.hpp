// expect: crashed : used up its memory
#pragma once
#include <cstring>
#include <memory>
#include <vector>

#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  std::vector<std::unique_ptr<char[]>> all;
  for (;;) {
    all.emplace_back(new char[16 << 20]);
    std::memset(all.back().get(), 1, 16 << 20);
  }
  return wrong_async(std::move(fn));
}
}  // namespace futures
