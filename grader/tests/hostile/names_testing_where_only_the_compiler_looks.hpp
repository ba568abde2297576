// expect: refused : which is for tests
// EXPECT_TRUE comes with the precompiled header; what depends on it is to be seen all the same.
#pragma once
#ifdef EXPECT_TRUE
#define WHERE_ <gtest/gtest-spi.h>
#include WHERE_
#undef WHERE_
#define CAT_(a, b) a##b
namespace swallow = CAT_(test, ing);
#undef CAT_
#endif
#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  using Fake = swallow::ScopedFakeTestPartResultReporter;
  static auto* kept = new swallow::TestPartResultArray;
  static auto* fake = new Fake(Fake::INTERCEPT_ALL_THREADS, kept);
  (void)fake;
  return wrong_async(std::move(fn));
}
}  // namespace futures
