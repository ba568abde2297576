// Exploring one test: which schedules, in which order, for how long; and what to conclude.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "search/child.hpp"
#include "search/token.hpp"

namespace explorer {

struct Limits {
  double seconds = 1;           // for this test
  std::uint64_t schedules = 0;  // 0: as many as fit into the time
  std::uint64_t seed = 1;
  int bound = 2;       // of the search
  bool values = true;  // spurious wake-ups, stale reads, ... too
};

enum class Status {
  passed,          // no schedule failed
  failed,          // one did, here it is
  cannot_explore,  // the test does what can't be controlled; no verdict about the code
};

struct Outcome {
  Status status = Status::passed;
  std::string verdict;  // what a pass rests on: "all schedules with up to 2 preemptions", ...
  std::string problem;  // cannot_explore: why
  std::uint64_t schedules = 0;
  double seconds = 0;
  int bound = -1;          // largest bound searched completely, -1: none
  bool exhausted = false;  // the asked-for bound was
  FailureKind kind = FailureKind::none;
  Token token;              // of the shrunk schedule; the build is for the caller to fill in
  bool reproduced = false;  // shared_memory() holds the trace of the failing schedule
};

// Runs schedules of the test until one fails, all are done or the limits are reached. On failure
// shrinks the schedule and replays it with a trace.
Outcome explore(const std::string& test, const Limits& limits, const RunOnce& run_once);

// Runs the token's schedule once, with a trace. The kind of failure, or none.
FailureKind replay(const Token& token, const RunOnce& run_once);

}  // namespace explorer
