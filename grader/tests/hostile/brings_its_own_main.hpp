// expect: refused : main()
#pragma once
#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
int main() { return 0; }
