// The command line of an explored test program.
#pragma once

#include <cstdint>
#include <string>

namespace explorer {

struct Options {
  double seconds = 4;           // --explore_seconds: for all tests together
  std::uint64_t schedules = 0;  // --explore_schedules: per test, 0: as time allows
  std::uint64_t seed = 1;       // --explore_seed
  int bound = 2;                // --explore_bound: preemptions of the exhaustive search, 0: none
  bool values = true;           // --explore_values=0: no spurious wake-ups, stale reads, ...
  bool verbose = false;         // --explore_verbose: the test may print
  std::string replay;           // --replay: a token
  bool observe = false;     // --explore_observe: the undisturbed schedule, told also if it passes
  std::string story_svg;    // --story_svg: file
  std::string story_trace;  // --story_trace: file
  int columns = 80;         // --story_columns
};

inline constexpr const char* usage_text =
    R"(Options of an explored test program, besides GoogleTest's:
  --explore_seconds=F    time for all tests together (4)
  --explore_schedules=N  at most so many schedules for each test
  --explore_seed=N       of the random schedules (1)
  --explore_bound=N      search all schedules with up to N preemptions first (2)
  --explore_values=0     no spurious wake-ups, early time-outs, stale reads, weak failures
  --explore_verbose      let the tests print
  --explore_observe      run each test once, undisturbed, and tell what happened
  --replay=TOKEN         run the one schedule that the token names
  --story_svg=FILE       draw the failing schedule
  --story_trace=FILE     write it as a Chrome trace, for https://ui.perfetto.dev
  --story_columns=N      width of the text (80)
)";

// Takes its own options out of the arguments. Prints what is wrong and exits with 2.
Options parse_options(int& argc, char** argv);

}  // namespace explorer
