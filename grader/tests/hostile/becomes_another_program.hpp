// expect: refused : execl()
// behind: crashed : ended itself in the middle of this test (exit 0)
#pragma once
#include <unistd.h>

#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  ::execl("/bin/true", "true", nullptr);
  return wrong_async(std::move(fn));
}
}  // namespace futures
