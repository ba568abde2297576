// expect: failed : ended before its first test
// A test program that ends with 0 has passed, some graders think.
#pragma once
#include <cstdlib>

#include "_wrong.hpp"
inline int over = (std::_Exit(0), 0);
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
