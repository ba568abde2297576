// expect: refused : namespace testing|which is for tests
// behind: failed : must get what the function returned
#pragma once
#include <gtest/gtest.h>

#include "_wrong.hpp"
inline int chosen = (testing::GTEST_FLAG(filter) = "-*", 0);
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  testing::GTEST_FLAG(filter) = "-*";
  return wrong_async(std::move(fn));
}
}  // namespace futures
