// expect: hung : blocked|without coming to an end
#pragma once
#include <chrono>
#include <thread>

#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  std::this_thread::sleep_for(std::chrono::hours(1));
  return wrong_async(std::move(fn));
}
}  // namespace futures
