// How much memory the program holds, to show that what is over is not kept: not in a list either,
// where a leak detector finds it reachable.
#pragma once

#include <cstddef>
#include <malloc.h>

namespace workbook {

// Bytes that were allocated and not freed, in all threads. A sanitizer's allocator has no figures
// here: 0.
inline std::ptrdiff_t heap_in_use() { return static_cast<std::ptrdiff_t>(::mallinfo2().uordblks); }

}  // namespace workbook
