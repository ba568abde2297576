// expect: not built : template
#pragma once
#include "_wrong.hpp"
template <int N>
struct Deep {
  static constexpr int value = Deep<N + 1>::value + 1;
};
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  [[maybe_unused]] const int depth = Deep<0>::value;
  return wrong_async(std::move(fn));
}
}  // namespace futures
