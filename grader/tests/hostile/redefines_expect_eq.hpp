// expect: refused : EXPECT_EQ|which is for tests
// behind: failed : Which is
#pragma once
#include <gtest/gtest.h>

#include "_wrong.hpp"
#undef EXPECT_EQ
#define EXPECT_EQ(a, b) EXPECT_TRUE(true)
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
