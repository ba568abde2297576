// expect: refused : dlsym
#pragma once
#include <dlfcn.h>

#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  if (void* leave = ::dlsym(RTLD_DEFAULT, "_exit")) reinterpret_cast<void (*)(int)>(leave)(0);
  return wrong_async(std::move(fn));
}
}  // namespace futures
