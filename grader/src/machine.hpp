#pragma once

#include <cstdint>
#include <string_view>

#include "unique_fd.hpp"

namespace grader {

// How often this machine has killed a process for want of memory since it started; 0 when unknown.
unsigned long out_of_memory_kills();

// What this machine's processors did since it started, in ticks. All 0 when unknown.
struct MachineTime {
  std::uint64_t idle = 0;
  std::uint64_t all = 0;
};
MachineTime machine_time();

// The part of the time between the two in which a processor had nothing to do; 0 to 1.
double idle_share(MachineTime before, MachineTime after);

// How many threads want to run for each processor, over the last minute: 1 or less on a machine
// that is not overloaded. What takes a second there takes so many here.
double crowding();

// Writes a line to a socket; false when that fails.
bool write_line(const UniqueFd& fd, std::string_view line);

}  // namespace grader
