// expect: failed : ended before its first test (exit 87)
#pragma once
#include <cstdlib>

#include "_wrong.hpp"
inline const int early = (std::_Exit(87), 0);
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
