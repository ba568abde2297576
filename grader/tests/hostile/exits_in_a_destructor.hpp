// expect: failed : must get what the function returned
// The same with a static object.
#pragma once
#include <cstdlib>

#include "_wrong.hpp"
struct AtTheEnd {
  ~AtTheEnd() { std::_Exit(0); }
};
inline AtTheEnd at_the_end;
namespace futures {
inline Receiver<int> async(Fn<int()> fn) { return wrong_async(std::move(fn)); }
}  // namespace futures
