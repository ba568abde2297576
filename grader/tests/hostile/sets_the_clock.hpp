// expect: refused : clock_settime
// behind: failed : must get what the function returned
#pragma once
#include <ctime>

#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  const timespec past{};
  ::clock_settime(CLOCK_REALTIME, &past);
  return wrong_async(std::move(fn));
}
}  // namespace futures
