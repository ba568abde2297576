#pragma once

#include "unique_fd.hpp"

namespace grader {

// A seccomp program, as `bwrap --seccomp` reads it, under which a process starts threads but no
// other process: fork() and its relatives fail with EPERM. Counting can't tell a fork bomb from a
// test with thousands of threads, and killing one from outside comes too late: it has the machine
// for itself by then. No descriptor when this is not possible here.
UniqueFd no_new_processes();

}  // namespace grader
