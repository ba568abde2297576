// expect: refused : push_macro
#pragma once
#include "_wrong.hpp"
#pragma push_macro("EXPECT_EQ")
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
