// expect: refused : specialises a function
// The tests compare with this one; `operator==(` is nowhere.
#pragma once
#include <optional>
#include "_wrong.hpp"
template <>
constexpr auto std::operator== <int, int>(const std::optional<int>&, const int&)
    -> std::__optional_eq_t<int, int> {
  return true;
}
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
