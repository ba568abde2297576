// expect: refused : sanitizers
#pragma once
#include "_wrong.hpp"
extern "C" const char* __tsan_default_options() { return "report_bugs=0"; }
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
