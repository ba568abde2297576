// expect: failed : left behind
// Right, but for a thread that waits for the tests to be over.
#pragma once
#include <chrono>
#include <thread>

#include "_right.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  static const bool once = [] {
    std::thread([] { std::this_thread::sleep_for(std::chrono::hours(1)); }).detach();
    return true;
  }();
  return once ? right_async(std::move(fn)) : Receiver<int>(right_async(std::move(fn)));
}
}  // namespace futures
