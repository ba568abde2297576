// expect: refused : keyword `private`
#pragma once
#define private public
#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
