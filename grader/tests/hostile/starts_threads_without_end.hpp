// expect: crashed|failed : thread|Resource temporarily unavailable
#pragma once
#include <chrono>
#include <thread>

#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  for (;;) std::thread([] { std::this_thread::sleep_for(std::chrono::hours(1)); }).detach();
  return wrong_async(std::move(fn));
}
}  // namespace futures
