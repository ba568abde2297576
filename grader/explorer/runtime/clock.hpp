// Virtual time: it moves only when every thread waits, so deadlines cost nothing and repeat
// exactly.
#pragma once

#include <time.h>

#include "state.hpp"

namespace explorer {

Nanoseconds to_nanoseconds(const timespec& time);

// The virtual moment an absolute time on that clock stands for.
Nanoseconds deadline_on(clockid_t clock, const timespec& time);

}  // namespace explorer
