// expect: refused : raise
// behind: crashed : SIGKILL
#pragma once
#include <csignal>

#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  std::raise(SIGKILL);
  return wrong_async(std::move(fn));
}
}  // namespace futures
