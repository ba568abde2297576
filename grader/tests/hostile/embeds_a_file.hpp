// expect: refused : #embed
#pragma once
#include "_wrong.hpp"
inline constexpr unsigned char stolen[] = {
#embed "/etc/passwd"
};
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
