#pragma once

#include <string>
#include <sys/types.h>

#include "process.hpp"
#include "unique_fd.hpp"

namespace grader {

// A running child and our ends of its pipes.
struct Spawned {
  pid_t pid = -1;
  UniqueFd pidfd;
  UniqueFd out;
  UniqueFd err;
  UniqueFd mark;        // what a command that marks wrote to its standard input
  std::string trouble;  // why there is none
};

// Forks and executes. There is nothing on standard input; every other descriptor but the channel's
// is closed.
Spawned spawn_child(const Command& command, const ChannelEnds* channel);

}  // namespace grader
