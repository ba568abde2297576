// expect: refused : sanitizers to look away
#pragma once
#include "_wrong.hpp"
namespace futures {
__attribute__((no_sanitize("thread"))) inline Receiver<int> async(Fn<int()> fn) {
  return wrong_async(std::move(fn));
}
}  // namespace futures
