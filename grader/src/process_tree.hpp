#pragma once

#include <cstdint>
#include <sys/types.h>
#include <vector>

namespace grader {

// What a process and everything below it use right now, from /proc.
struct Usage {
  std::uint64_t memory_bytes = 0;  // resident
  unsigned processes = 0;
  unsigned threads = 0;
  std::uint64_t cpu_ticks = 0;  // user + system, of those still alive
  bool stopped = false;         // one of them was stopped (SIGSTOP)
  bool all_asleep = true;       // no thread of the main ones runs or waits for the disk
};

// `thorough` also finds children that were started by a process's other threads; that costs one
// file for each thread, the rest one or two for each process.
std::vector<pid_t> process_tree(pid_t root, bool thorough);

Usage usage_of(const std::vector<pid_t>& processes);

}  // namespace grader
