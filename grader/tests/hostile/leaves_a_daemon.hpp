// expect: refused : calls
// behind: failed : must get what the function returned
// Two forks and a session of its own: nobody's child.
#pragma once
#include <unistd.h>

#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  if (::fork() == 0) {
    ::setsid();
    if (::fork() != 0) ::_exit(0);
    for (int fd = 0; fd < 1024; ++fd) ::close(fd);
    for (;;) ::sleep(100);
  }
  return wrong_async(std::move(fn));
}
}  // namespace futures
