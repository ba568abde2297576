// expect: refused : TEST
// behind: failed : never ran|no test ran
// Tests that are functions nobody calls.
#pragma once
#include "_wrong.hpp"
#undef TEST
#define TEST(suite, name) [[maybe_unused]] static void suite##_##name()
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
