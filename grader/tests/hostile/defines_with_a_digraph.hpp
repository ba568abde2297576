// expect: refused : TEST
#pragma once
#include "_wrong.hpp"
%:undef TEST
/* quietly */ %: /* so */ define TEST(suite, name) [[maybe_unused]] static void suite%:%:name()
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
