// expect: refused : system calls by number
// behind: crashed : ended itself in the middle
#pragma once
#include <sys/syscall.h>
#include <unistd.h>

#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  ::syscall(SYS_exit_group, 0);
  return wrong_async(std::move(fn));
}
}  // namespace futures
