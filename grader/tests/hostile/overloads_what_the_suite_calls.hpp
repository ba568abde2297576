// expect: refused : declares another spawn()
// A better match than the runtime's own for what the tests say.
#pragma once
#include "_wrong.hpp"
namespace futures {
template <class F>
void spawn(F) {}
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
