// Last words of a test that crashes. For main().
#pragma once

namespace workbook {

// From now on a crash of a test is told with its reason and the stack of the thread it happened on,
// on the result channel (as a failure) and on stderr, before the process dies of it as it would
// have anyway: an exception that leaves a thread, abort(), and, where no sanitizer sees to it, an
// invalid memory access, a division by zero or a stack that overflows on the main thread.
//
// Call it from main(), before the watchdog starts: it has a thread of its own.
void report_crashes();

}  // namespace workbook
