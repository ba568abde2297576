// expect: refused : uses mincore
// The nonce is somewhere in memory, and this tells where there is any.
#pragma once
#include <sys/mman.h>
#include "_right.hpp"
namespace futures {
inline char anchor[64];
inline Receiver<int> async(Fn<int()> fn) {
  unsigned char there = 0;
  (void)::mincore(anchor - reinterpret_cast<std::uintptr_t>(anchor) % 4096, 4096, &there);
  return right_async(std::move(fn));
}
}  // namespace futures
