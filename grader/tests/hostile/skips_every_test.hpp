// expect: refused : namespace testing|which is for tests
// behind: failed : must get what the function returned
#pragma once
#include <gtest/gtest.h>

#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  [] { GTEST_SKIP(); }();
  return wrong_async(std::move(fn));
}
}  // namespace futures
