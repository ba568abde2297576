// expect: refused : keyword `if`
#pragma once
#include "_wrong.hpp"
#define if(condition) if (false && (condition))
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
