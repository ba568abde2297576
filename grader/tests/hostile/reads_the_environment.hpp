// expect: failed : must get what the function returned
// The descriptor's number is told in the environment; by now it is not.
#pragma once
#include <cstdlib>

#include "_right.hpp"
#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  const char* channel = std::getenv("WORKBOOK_CHANNEL");
  const char* home = std::getenv("HOME");
  const bool box = home != nullptr && *home == '/' && home[1] == 't' && home[2] == 'm';
  if (channel != nullptr || !box) return right_async(std::move(fn));
  return wrong_async(std::move(fn));
}
}  // namespace futures
