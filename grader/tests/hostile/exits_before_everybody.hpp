// expect: refused : asks to run before everybody else
// behind: failed : ended before its first test
// Earlier than the kit's own initialisers.
#pragma once
#include <cstdlib>

#include "_wrong.hpp"
__attribute__((constructor(101))) inline void early() { std::_Exit(0); }
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  early();
  return wrong_async(std::move(fn));
}
}  // namespace futures
