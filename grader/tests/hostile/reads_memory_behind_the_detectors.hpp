// expect: refused : behind the race detectors
// Neither ThreadSanitizer nor the explorer sees what these instructions load and store.
#pragma once
#include <emmintrin.h>
#include "_right.hpp"
namespace futures {
inline char shared[16];
inline Receiver<int> async(Fn<int()> fn) {
  _mm_maskmoveu_si128(_mm_set1_epi8(-1), _mm_set1_epi8(-1), shared);
  return right_async(std::move(fn));
}
}  // namespace futures
