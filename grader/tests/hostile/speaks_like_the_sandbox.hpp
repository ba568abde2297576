// expect: failed : ended before its first test (exit 1)
// As if no sandbox could be had.
#pragma once
#include <cstdio>
#include <cstdlib>

#include "_wrong.hpp"
inline const int early =
    (std::fputs("bwrap: No permissions to create new namespace\n", stderr), std::_Exit(1), 0);
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
