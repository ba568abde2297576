// expect: refused : namespace testing|which is for tests
#pragma once
#include <gtest/gtest.h>

#include "_wrong.hpp"
namespace t = testing;
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  t::UnitTest::GetInstance()->Run();
  return wrong_async(std::move(fn));
}
}  // namespace futures
