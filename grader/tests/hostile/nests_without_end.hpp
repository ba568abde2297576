// expect: not built : nesting|brackets|more than
#pragma once
#include "_wrong.hpp"
#define B0(x) ((((((((((x))))))))))
#define B1(x) B0(B0(B0(B0(B0(B0(B0(B0(B0(B0(x))))))))))
#define B2(x) B1(B1(B1(B1(B1(B1(B1(B1(B1(B1(x))))))))))
inline int deep = B2(1);
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
