// expect: refused : specialises a function
// The tests receive with this.
#pragma once
#include "_wrong.hpp"
template <>
std::optional<int> futures::Receiver<int>::try_receive() {
  return 7;
}
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
