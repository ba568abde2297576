// expect: failed : ended before its first test
// The same from a function that the loader calls.
#pragma once
#include <cstdlib>

#include "_wrong.hpp"
[[gnu::constructor]] inline void early() { std::exit(0); }
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  early();
  return wrong_async(std::move(fn));
}
}  // namespace futures
