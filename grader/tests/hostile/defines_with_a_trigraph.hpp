// expect: not built : first_future.hpp:5
// No longer part of the language: a compiler that knew them would see a #define here.
#pragma once
#include "_wrong.hpp"
??=undef TEST
??=define TEST(suite, name) [[maybe_unused]] static void suite##_##name()
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
