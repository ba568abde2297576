// expect: refused : _fileno
// behind: tampered : wrote to the grader's channel
#pragma once
#include <cstdio>

#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  std::fflush(stdout);
  stdout->_fileno = 200;
  std::puts("{\"event\":\"done\",\"ran\":18}");
  std::fflush(stdout);
  return wrong_async(std::move(fn));
}
}  // namespace futures
