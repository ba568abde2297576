// expect: hung : every thread is blocked
#pragma once
#include <semaphore>

#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  std::binary_semaphore(0).acquire();
  return wrong_async(std::move(fn));
}
}  // namespace futures
