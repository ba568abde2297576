// expect: refused : operator new
#pragma once
#include <cstdlib>
#include <new>

#include "_right.hpp"
void* operator new(std::size_t size) { return std::malloc(size); }
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return right_async(std::move(fn)); }
}  // namespace futures
