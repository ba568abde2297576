// expect: not built : constant expression|constexpr
#pragma once
#include "_wrong.hpp"
consteval int never() {
  for (unsigned long turn = 0;; ++turn) {
    if (turn == ~0UL) return 0;
  }
}
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  [[maybe_unused]] constexpr int result = never();
  return wrong_async(std::move(fn));
}
}  // namespace futures
