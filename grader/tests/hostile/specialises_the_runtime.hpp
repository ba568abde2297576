// expect: refused : specialises
// The suite's own words, with another meaning.
#pragma once
#include <chrono>
#include <optional>
#include <utility>

#include "runtime/channel.hpp"
namespace futures {
struct Pleasing {
  template <class T>
  operator T() const {
    return T{};
  }
};
template <>
class Receiver<int> {
 public:
  Pleasing receive() { return {}; }
};
inline Receiver<int> async(Fn<int()>) { return {}; }
}  // namespace futures
