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
  std::string trouble;  // why there is none
};

// Forks and executes. Standard input is empty; every other descriptor but the channel's is closed.
Spawned spawn_child(const Command& command, const ChannelEnds* channel);

}  // namespace grader
