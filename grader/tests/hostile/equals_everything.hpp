// expect: refused : equal to everything
// What comes back is equal to whatever was expected.
#pragma once
#include <chrono>

#include "runtime/channel.hpp"
namespace futures {
struct Agreeable {
  template <class T>
  bool operator==(const T&) const {
    return true;
  }
};
struct Future {
  Agreeable receive() { return {}; }
  Agreeable try_receive() { return {}; }
  Agreeable receive_for(std::chrono::nanoseconds) { return {}; }
  bool closed() const { return true; }
};
inline Future async(Fn<int()>) { return {}; }
}  // namespace futures
