// expect: refused : namespace std
// behind: not built|failed : does not compile|closed|must
// The comparison that every EXPECT_EQ would find first.
#pragma once
#include <optional>

#include "_wrong.hpp"
namespace std {
inline bool operator==(const optional<int>&, const int&) { return true; }
inline bool operator==(const optional<int>&, const nullopt_t&) { return true; }
}  // namespace std
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
