// expect: refused : mangled
// Says testing::UnitTest::GetInstance() without saying testing.
#pragma once
#include "_wrong.hpp"
extern "C" char* _ZN7testing8UnitTest11GetInstanceEv();
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  _ZN7testing8UnitTest11GetInstanceEv()[64] = 0;
  return wrong_async(std::move(fn));
}
}  // namespace futures
