// Running schedules in a forked child, watched by the parent.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "runtime/shared.hpp"

namespace explorer {

// Runs the test once: begin_schedule(seed), the body, end_schedule().
using RunOnce = std::function<void(std::uint64_t seed)>;

struct Batch {
  Plan plan{};
  std::uint64_t first_seed = 1;
  std::uint64_t count = 1;
  double until = 0;       // when to stop, on the scale of effort_seconds(); 0: no limit
  double wall_until = 0;  // and of wall_seconds()
  bool warm_up = true;    // a default schedule first: one-time initialisation must not count
  bool output = false;    // let the test print
};

struct ChildResult {
  FailureKind failure = FailureKind::none;
  bool blocked_outside = false;  // killed because it made no progress
  std::uint64_t ran = 0;         // schedules that passed
};

// The block that parent and child share, made on first use. Zeroed at the start.
Shared& shared_memory();

double wall_seconds();

// Processor time spent so far, by this process and its children: exploring is measured in it, so
// that a loaded machine takes longer but does not see less.
double effort_seconds();

ChildResult run_in_child(const Batch& batch, const RunOnce& run_once);

}  // namespace explorer
