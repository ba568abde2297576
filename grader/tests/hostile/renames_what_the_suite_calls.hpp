// expect: refused : defines a macro receive
#pragma once
#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
#define receive() receive_for(std::chrono::nanoseconds(1))
