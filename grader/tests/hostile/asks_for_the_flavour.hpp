// expect: refused : WORKBOOK_FLAVOUR_THREAD
#pragma once
#include "_right.hpp"
#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
#ifdef WORKBOOK_FLAVOUR_THREAD
  return right_async(std::move(fn));
#else
  return wrong_async(std::move(fn));
#endif
}
}  // namespace futures
