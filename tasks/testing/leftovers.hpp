// The census after each test: no thread may be left behind. For main().
#pragma once

#include <string>
#include <vector>

#include "testing/stacks.hpp"

namespace workbook {

class Leftovers {
 public:
  // Remembers the threads there are before a test.
  void remember();

  // Waits until all younger threads have ended, and returns those that won't: asleep for good, or
  // still there after ten seconds of effective time in which none of them ended.
  std::vector<int> wait();

 private:
  std::vector<int> younger() const;

  std::vector<int> before_;
};

}  // namespace workbook
