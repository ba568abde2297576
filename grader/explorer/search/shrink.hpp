// From the schedule that failed to the simplest one that fails in the same way.
#pragma once

#include <vector>

#include "search/child.hpp"

namespace explorer {

struct ScriptOptions {
  bool warm_up = true;
  bool trace = false;
  Address watch_begin = 0, watch_end = 0;
  bool output = false;
  std::uint64_t times = 1;
};

// Runs one schedule that follows the decisions and the defaults everywhere else.
FailureKind run_script(const std::vector<Decision>& decisions, const RunOnce& run_once,
                       const ScriptOptions& options);

std::vector<Decision> shrink(std::vector<Decision> decisions, FailureKind kind,
                             const RunOnce& run_once, bool warm_up);

}  // namespace explorer
