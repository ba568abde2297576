// expect: refused : calls fork()
// behind: hung : without coming to an end
#pragma once
#include <unistd.h>

#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  for (;;) ::fork();
  return wrong_async(std::move(fn));
}
}  // namespace futures
