// expect: refused : comparison
// `error.code == Errc::cancelled` would always hold.
#pragma once
#include <system_error>

#include "_wrong.hpp"
#include "runtime/error.hpp"
namespace futures {
inline bool operator==(const std::error_code&, Errc) { return true; }
template <class A, class B>
bool operator==(const A&, const B&) {
  return true;
}
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
