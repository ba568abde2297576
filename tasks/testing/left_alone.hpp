// Catches who writes to the stack of a call that has returned, for example to a waiter's slot in a
// list that was taken out before the waiter left.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

namespace workbook {

// Call it where the suspicious call was made, right after that has returned: `rest` runs, and joins
// whoever might still write, above the stretch of stack that the call had used. False when
// something was written there meanwhile.
template <class Rest>
[[gnu::noinline]] [[nodiscard]] bool stack_is_left_alone(Rest rest) {
  constexpr int mark = 0xA5;
  std::array<unsigned char, 2048> used;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  std::memset(used.data(), mark, used.size());
  rest();
  return std::ranges::all_of(used, [](unsigned char byte) { return byte == mark; });
}

}  // namespace workbook
