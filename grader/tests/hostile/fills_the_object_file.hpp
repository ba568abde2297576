// expect: not built : too large|more than|file
#pragma once
#include "_wrong.hpp"
[[gnu::used]] inline char large[3UL << 30] = {1};
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
