// expect: refused : specialises
#pragma once
#include <optional>

#include "_wrong.hpp"
namespace std {
template <>
class optional<long long> {};
}  // namespace std
template <>
struct std::char_traits<unsigned long> {};
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
