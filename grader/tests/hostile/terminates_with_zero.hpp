// expect: crashed : ended itself in the middle of this test (exit 0)
// A terminate handler that says all is well.
#pragma once
#include <cstdlib>
#include <exception>

#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()>) noexcept {
  std::set_terminate([] { std::_Exit(0); });
  throw 42;
}
}  // namespace futures
