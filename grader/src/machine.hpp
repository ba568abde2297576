#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

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

// Whether this machine has room for another thread, and the control groups we are in. Whoever is
// refused one says so only in words.
class ThreadWatch {
 public:
  ThreadWatch();

  // False: nine of ten possible threads are there, or a group has refused one since the watch
  // began. A look takes some microseconds.
  bool have_room() const;

 private:
  unsigned long refusals() const;

  std::vector<std::filesystem::path> groups_;  // files that count what a group has refused
  unsigned long most_threads_;
  unsigned long refusals_before_;
};

// Writes a line to a socket; false when that fails.
bool write_line(const UniqueFd& fd, std::string_view line);

}  // namespace grader
