// expect: failed : must get what the function returned
// Turns the status of a failed run into 0.
#pragma once
#include <cstdlib>

#include "_wrong.hpp"
inline int asked = std::atexit([] { std::_Exit(0); });
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
