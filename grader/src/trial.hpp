// The trial of an own test: it is played against right versions and suspects, in shuffled order,
// until it has shown that it tells one of them apart, or has shown the opposite. Knows nothing of
// compilers and processes, so that its odds can be measured with coins (see tests/trial_test.cpp).
#pragma once

#include <cstddef>
#include <functional>
#include <random>
#include <string>

#include "odds.hpp"

namespace grader {

// One run of the own test.
struct Played {
  enum class End {
    passed,
    broke,    // an expectation, a crash, a race report, a hang
    unclear,  // the machine stood in the way, or the result can't be used
  };
  End end = End::passed;
  std::string how;     // for the report, when it broke: "assertion", "race report"…
  double seconds = 0;  // what it took; versions that take less to break are preferred
};

// The versions of a trial, by number. A right version must never break; a suspect should.
struct Players {
  std::size_t rights = 0;
  std::size_t suspects = 0;
  // A right version under the circumstances of a suspect (its flavour).
  std::function<Played(std::size_t right, std::size_t like_suspect)> play_right;
  std::function<Played(std::size_t)> play_suspect;
  // Called once before suspects [from, to) are first played: time to build them.
  std::function<void(std::size_t from, std::size_t to)> prepare = {};
  // Asked once when a suspect broke: is it a version that counts (builds, passes Basic)? From then
  // on, that is while the runs are counted, other builds may be played than before.
  std::function<bool(std::size_t)> counts = {};
  // Asked when the runs of a suspect would be evidence enough: has each build of it broken?
  std::function<bool(std::size_t)> each_build_broke = {};
  // True ends the trial as unclear: interrupted, or out of time.
  std::function<bool()> out_of_time = {};
};

struct TrialResult {
  enum class Verdict {
    tells_apart,     // it broke `version` and no right one
    breaks_right,    // it broke the right version number `version`
    breaks_nothing,  // every suspect survived
    too_rarely,      // it broke one, not often enough to rule out luck
    unclear,         // interrupted, out of time, or the machine stood in the way
  };
  Verdict verdict = Verdict::unclear;
  std::size_t version = 0;
  Tally suspect = {};  // the confirming runs of `version`
  int right_runs = 0;  // the confirming runs of right versions, all passed
  std::string how = {};
};

// Plays until the verdict stands. There must be at least one right version.
TrialResult try_test(const Players& players, std::mt19937_64& chance);

}  // namespace grader
