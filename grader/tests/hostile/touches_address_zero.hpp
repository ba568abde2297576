// expect: crashed : memory it does not own
#pragma once
#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  *static_cast<volatile int*>(nullptr) = 1;
  return wrong_async(std::move(fn));
}
}  // namespace futures
