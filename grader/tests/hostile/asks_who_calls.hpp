// expect: refused : backtrace
// The test's name is on the stack.
#pragma once
#include <execinfo.h>

#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  void* frames[64];
  ::backtrace_symbols_fd(frames, ::backtrace(frames, 64), 2);
  return wrong_async(std::move(fn));
}
}  // namespace futures
