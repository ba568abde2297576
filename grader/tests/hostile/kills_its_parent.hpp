// expect: refused : calls kill()
// behind: crashed|failed : must get|ended by signal|ended itself
#pragma once
#include <csignal>
#include <unistd.h>

#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  ::kill(::getppid(), SIGKILL);
  ::kill(1, SIGKILL);
  return wrong_async(std::move(fn));
}
}  // namespace futures
