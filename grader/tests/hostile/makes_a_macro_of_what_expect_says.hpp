// expect: refused : kFatalFailure|kNonFatalFailure
// No suite says these names, but EXPECT_* and ASSERT_* expand to them.
#pragma once
#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
#define kNonFatalFailure kSuccess
#define kFatalFailure kSuccess
#if 0
#undef kNonFatalFailure
#undef kFatalFailure
#endif
