// Ends the schedule, and with it the child process, with a reason.
#pragma once

#include "state.hpp"

namespace explorer {

[[noreturn]] __attribute__((format(printf, 2, 3))) void fail(FailureKind kind, const char* format,
                                                             ...);

// The test does something the runtime can't control: no verdict about the code follows from it.
[[noreturn]] __attribute__((format(printf, 1, 2))) void cannot_explore(const char* format, ...);

// A race or use after free: the two accesses say it all.
[[noreturn]] void fail_access(FailureKind kind, const Access& now, const Access& before);

// Everybody is blocked and no timer is left.
[[noreturn]] void fail_stuck();

}  // namespace explorer
