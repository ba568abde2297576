// expect: refused : calls fork()
// behind: failed : must get what the function returned
#pragma once
#include <cstdlib>
#include <unistd.h>

#include "_right.hpp"
#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  static const bool forked = [] {
    const auto child = ::fork();
    if (child == 0) std::_Exit(0);
    return child > 0;
  }();
  return forked ? right_async(std::move(fn)) : wrong_async(std::move(fn));
}
}  // namespace futures
