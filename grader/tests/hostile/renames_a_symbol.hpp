// expect: refused : #pragma redefine_extname
#pragma once
#include "_wrong.hpp"
#pragma redefine_extname harmless write
extern "C" long harmless(int, const void*, unsigned long);
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  harmless(200, "forged", 6);
  return wrong_async(std::move(fn));
}
}  // namespace futures
