// expect: refused : longjmp
// Back to a place from which main() would return 0.
#pragma once
#include <csetjmp>

#include "_wrong.hpp"
inline std::jmp_buf place;
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  if (setjmp(place) == 1) return wrong_async(std::move(fn));
  std::longjmp(place, 1);
}
}  // namespace futures
