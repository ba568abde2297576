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
  std::string name;                     // "reference", "alternative/…", "earlier/…"
  bool right = false;                   // must never be rejected; otherwise it always must
  std::array<Count, 4> by_flavour;      // indexed by Flavour
  Count graded;                         // all flavours together: rejected by any
  int inconclusive = 0;                 // runs without a verdict; counted nowhere else
  std::optional<double> first_seconds;  // of running until the first rejection
  std::string trouble;                  // does not build, or the like

  // What the audit is for: does the suite tell it for what it is?
  bool as_it_should_be() const;
};

// The table as text, at most 100 columns.
std::string kill_table(const std::vector<VersionCounts>& versions);

}  // namespace grader
