// expect: refused : calls close()
// behind: crashed : ended itself in the middle
#pragma once
#include <unistd.h>

#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  for (int fd = 0; fd < 1024; ++fd) ::close(fd);
  return wrong_async(std::move(fn));
}
}  // namespace futures
