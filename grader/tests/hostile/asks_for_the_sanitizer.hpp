// expect: refused : thread_sanitizer
// Careful only where somebody looks for races.
#pragma once
#include "_right.hpp"
#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
#if __has_feature(thread_sanitizer) || defined(__SANITIZE_THREAD__)
  return right_async(std::move(fn));
#else
  return wrong_async(std::move(fn));
#endif
}
}  // namespace futures
