// expect: failed : before the first test
#pragma once
#include "_wrong.hpp"
inline int thrown = [] { return throw 42, 0; }();
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
