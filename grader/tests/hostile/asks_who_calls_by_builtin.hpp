// expect: refused : __builtin_return_address
#pragma once
#include "_right.hpp"
#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  const auto* caller = static_cast<const unsigned char*>(__builtin_return_address(0));
  return caller[0] == 0x48 ? right_async(std::move(fn)) : wrong_async(std::move(fn));
}
}  // namespace futures
