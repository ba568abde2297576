// expect: refused : mprotect
#pragma once
#include <cstdint>
#include <sys/mman.h>

#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  const auto page = reinterpret_cast<std::uintptr_t>(&wrong_async) & ~std::uintptr_t{4095};
  ::mprotect(reinterpret_cast<void*>(page), 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
  return wrong_async(std::move(fn));
}
}  // namespace futures
