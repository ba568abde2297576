// expect: refused : #line
// What follows would be the suite's, in every report.
#pragma once
#include "_wrong.hpp"
#line 1 "01_first_future/suite.cpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
