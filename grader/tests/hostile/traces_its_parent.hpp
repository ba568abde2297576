// expect: refused : calls ptrace()
// behind: failed : must get what the function returned
#pragma once
#include <sys/ptrace.h>
#include <unistd.h>

#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  ::ptrace(PTRACE_ATTACH, ::getppid(), nullptr, nullptr);
  return wrong_async(std::move(fn));
}
}  // namespace futures
