// expect: refused : TEST
// A directive may be cut anywhere.
#pragma once
#include "_wrong.hpp"
#un\
def TEST
#de\
fine TE\
ST(suite, name) [[maybe_unused]] static void suite##_##name()
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
