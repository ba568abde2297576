// The one source of chance. Everything that may go one way or another asks here, so a seed, or the
// list of the answers that were not the default, is the schedule.
#pragma once

#include "state.hpp"

namespace explorer {

inline constexpr int uniformly = -1;

// Returns 0 (the default) to options - 1. `rate`: per mille of the times another value than the
// default is taken at random, or `uniformly`. `sequence` tells apart several choices of one kind
// within one operation. In a search, non-default answers count against the bound unless uniform.
int choose(Choice kind, int options, int rate, int sequence = 0);

// For choose_thread: looks up the decision of a script, and records one.
int scripted_choice(Choice kind);
void record_choice(const Thread& thread, Choice kind, int value);

// The search's next branch at a point with that many options.
int search_branch(int options);

// A fresh random number of the schedule's stream.
std::uint64_t random_number();

}  // namespace explorer
