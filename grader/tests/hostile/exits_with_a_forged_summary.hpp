// expect: crashed : ended itself in the middle of this test (exit 0)
// Prints what GoogleTest would print, and goes.
#pragma once
#include <cstdio>
#include <cstdlib>

#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()>) {
  std::puts("[==========] 18 tests from 3 test suites ran. (1 ms total)");
  std::puts("[  PASSED  ] 18 tests.");
  std::puts("{\"event\":\"done\",\"ran\":18}");
  std::fflush(stdout);
  std::quick_exit(0);
}
}  // namespace futures
