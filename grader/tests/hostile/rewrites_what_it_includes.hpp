// expect: refused : is in force where
// A macro that is gone again at the end, and rewrote the runtime in between.
#pragma once
#define pair pair; struct Receiver_ {} hidden; std::pair
#include <map>
#undef pair
#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
