// expect: refused : namespace testing|not its own
// A better match for every comparison.
#pragma once
#include <optional>

#include "_wrong.hpp"
namespace testing::internal {
inline bool operator==(const std::optional<int>&, int) { return true; }
}  // namespace testing::internal
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
