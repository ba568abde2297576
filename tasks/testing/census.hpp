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

// How many pieces this process's memory is mapped in (/proc/self/maps). A thread that has ended and
// was neither joined nor detached keeps its stack, two pieces. 0 where nobody counts: sanitizers
// map for themselves, and under the explorer stacks are not the program's.
#if defined(WORKBOOK_FLAVOUR_THREAD) || defined(WORKBOOK_FLAVOUR_ADDRESS) || \
    defined(WORKBOOK_FLAVOUR_EXPLORED)
inline std::size_t mapped_areas() { return 0; }
#else
std::size_t mapped_areas();
#endif

}  // namespace workbook
