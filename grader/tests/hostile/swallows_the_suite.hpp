// expect: not built : raw string
// Opens a string that only the suite's end could close.
#pragma once
#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
inline const char* rest = R"never(
