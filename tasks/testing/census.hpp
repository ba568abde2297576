// How many threads this process has. After each test main() checks by itself that the test left
// none behind; a test needs this only to see how many it has while it runs.
#pragma once

#include <cstddef>
#include <sys/stat.h>

#include "report.hpp"

namespace workbook {

// The threads alive now, the calling one included, those of the kit and of sanitizers not. A thread
// that was just joined may still count for a moment: compare inside eventually(), or leave room.
inline std::size_t live_threads() {
  struct stat folder{};
  if (::stat("/proc/self/task", &folder) != 0) return 1;
  // A folder has two links of its own and one per subfolder.
  const auto all = static_cast<std::size_t>(folder.st_nlink) - 2;
  const auto own = report::own_threads.load(std::memory_order_relaxed);
  return all > own ? all - own : 1;
}

}  // namespace workbook
