// Stacks of running threads, in words for a learner. For the census, the watchdog and crashes.
#pragma once

#include <array>
#include <csignal>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace workbook::stacks {

struct Stack {
  int tid = 0;
  std::vector<void*> frames;  // innermost first; empty: the thread did not react in time
};

// Must be called once, before any other thread starts: installs the signal handler that capture()
// uses.
void prepare();

// sigaction() of the C library itself. ThreadSanitizer holds signals back until the thread calls
// something it knows, which a blocked thread never does.
int real_sigaction(int number, const struct sigaction* action);

// Interrupts each of these threads for a moment. They go on afterwards, as if nothing had happened.
// At most 200 are looked at.
std::vector<Stack> capture(std::span<const int> tids);

// A stack in memory that was there before, for signal handlers.
struct RawStack {
  std::array<void*, 96> frames{};
  std::size_t count = 0;
  int tid = 0;
  int process = 0;
};

// This thread's own stack. Safe in a signal handler.
void capture_here(RawStack& raw);

// Without its innermost frames, when the caller knows what they are.
Stack to_stack(const RawStack& raw, std::size_t skipped = 0);

// Where a stack is, seen from the code under test.
struct Place {
  std::string function;
  std::string file;  // with its folder: "04_promise/promise.hpp"; empty: nowhere in that code
  int line = 0;
};

struct Report {
  // Equal stacks are told once, those inside the code under test first; frames of the standard
  // library, of the kit and of GoogleTest are left out.
  std::string text;
  Place first;  // the innermost frame of the first one
};

Report describe(const std::vector<Stack>& stacks);

}  // namespace workbook::stacks
