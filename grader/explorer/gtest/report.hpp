// Says what came out: to the grader over the channel, or to a person on the terminal.
#pragma once

#include <string>
#include <vector>

#include "gtest/test_runs.hpp"
#include "search/exploration.hpp"
#include "story/story.hpp"

namespace explorer::report {

void begin(const std::vector<std::string>& tests);
void start(const std::string& test);

// What the test saw, and the lanes of the schedule it saw it in. Before finish().
void observed(const std::string& test, const std::vector<Observation>& seen, const Story& story);

// `story` is looked at when the outcome is a failure.
void finish(const std::string& test, const Outcome& outcome, bool skipped, const Story& story,
            const std::string& token);

void done(int ran, int failed);

}  // namespace explorer::report
