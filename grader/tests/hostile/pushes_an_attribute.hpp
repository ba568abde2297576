// expect: refused : #pragma clang attribute
#pragma once
#include "_wrong.hpp"
#pragma clang attribute push(__attribute__((no_sanitize("thread"))), apply_to = function)
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
