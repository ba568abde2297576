// expect: refused : section
// A pointer among those that the loader calls first of all.
#pragma once
#include <cstdlib>

#include "_wrong.hpp"
inline void early(int, char**, char**) { std::_Exit(0); }
[[gnu::section(".preinit_array"), gnu::used]] inline void (*first)(int, char**, char**) = early;
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
