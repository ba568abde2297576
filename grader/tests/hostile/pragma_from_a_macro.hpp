// expect: refused : makes a _Pragma
#pragma once
#include "_wrong.hpp"
#define QUIETLY(...) _Pragma(#__VA_ARGS__)
QUIETLY(push_macro("EXPECT_EQ"))
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
