// Says what came out: to the grader over the channel, or to a person on the terminal.
#pragma once

#include <string>
#include <vector>

#include "search/exploration.hpp"
#include "story/story.hpp"

namespace explorer::report {

void begin(const std::vector<std::string>& tests);
void start(const std::string& test);

// `story` is looked at when the outcome is a failure.
void finish(const std::string& test, const Outcome& outcome, bool skipped, const Story& story,
            const std::string& token);

void done(int ran, int failed);

}  // namespace explorer::report
