// The failing schedule, told so that a learner understands it.
#pragma once

#include <string>

#include "runtime/shared.hpp"

namespace explorer {

struct Story {
  std::string kind;      // "data race", "lost wake-up", ...
  std::string headline;  // what went wrong, in one or two sentences
  std::string lanes;     // the swim lanes, text
  std::string svg;
  std::string chrome_trace;
  int step_count = 0;
};

const char* name_of(FailureKind kind);

// From the trace in `memory`, which a replay left there.
Story tell_story(const Shared& memory, const std::string& test, int columns);

}  // namespace explorer
