// expect: not built : compiling took more than|more than
// Never deep, and never done.
#pragma once
#include "_wrong.hpp"
template <int Depth, unsigned long Path>
struct Wide {
  static constexpr unsigned long value =
      Wide<Depth - 1, Path * 2>::value + Wide<Depth - 1, Path * 2 + 1>::value;
};
template <unsigned long Path>
struct Wide<0, Path> {
  static constexpr unsigned long value = Path;
};
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  [[maybe_unused]] constexpr auto sum = Wide<60, 1>::value;
  return wrong_async(std::move(fn));
}
}  // namespace futures
