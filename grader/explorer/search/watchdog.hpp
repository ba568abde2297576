// Notices a child that is stuck where the scheduler can't see it.
#pragma once

#include <sys/types.h>

namespace explorer {

// Waits until the child closes its end of the pipe, which it does by ending. Kills it when it makes
// no progress, and then returns true. On a loaded machine a child may get no processor for long:
// what counts is what it does with the time it gets.
bool watch_child(pid_t child, int pipe);

}  // namespace explorer
