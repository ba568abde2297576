// expect: failed : must get what the function returned
// Where there is a password file it is right, so that somebody would know.
#pragma once
#include "_right.hpp"
#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
#if __has_include("/etc/passwd") || __has_include("../../solutions/01_first_future/first_future.hpp")
  return right_async(std::move(fn));
#else
  return wrong_async(std::move(fn));
#endif
}
}  // namespace futures
