// expect: refused : write()
// Every result passes through here.
#pragma once
#include <cstddef>

#include "_wrong.hpp"
extern "C" long write(int, const void*, std::size_t size) { return static_cast<long>(size); }
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
