// The counts of an audit: which suite rejected which version, how often, and how sure that is.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "model.hpp"

namespace grader {

struct Count {
  int runs = 0;
  int rejected = 0;
};

struct Interval {
  double low = 0;
  double high = 1;
};

// Wilson's score interval at 95 % for rejected / runs; [0, 1] without runs.
Interval wilson(Count count);

// One version of one task.
struct VersionCounts {
  int task = 0;
  std::string name;                 // "reference", "alternative/…", "earlier/…"
  bool right = false;               // must never be rejected; otherwise it always must
  std::array<Count, 4> by_flavour;  // indexed by Flavour
  Count graded;                     // all flavours together: rejected by any
  std::array<Count, 2> by_load;     // the same, on an idle machine and on a busy one
  int inconclusive = 0;             // runs without a verdict; counted nowhere else
  std::array<int, 2> unclear_by_load{};
  std::optional<double> first_seconds;  // of running until the first rejection
  std::string trouble;                  // does not build, or the like

  // What the audit is for: does the suite tell it for what it is?
  bool as_it_should_be() const;

  // Nothing is known of it: the audit ended before its turn.
  bool unmet() const;
};

// The table as text, at most 100 columns.
std::string kill_table(const std::vector<VersionCounts>& versions);

// How often the verdict was wrong, as a Markdown table: right versions that were rejected, flawed
// ones that passed, idle and under load, each with its 95 % interval.
std::string scorecard(const std::vector<VersionCounts>& versions);

}  // namespace grader
