// expect: passed
// Work that lies in another header of the folder, and conditions on the compiler.
#pragma once
#if defined(__clang__) && __has_feature(cxx_rvalue_references) && __has_include(<version>)
#include <version>
#endif
#ifdef __cpp_lib_expected
#include <expected>
#endif

#include "_right.hpp"

namespace futures {
[[nodiscard]] inline Receiver<int> async(Fn<int()> fn) {
#ifdef NDEBUG
  [[maybe_unused]] constexpr int optimised = 1;
#endif
  return right_async(std::move(fn));
}
}  // namespace futures
