// From what the bench observed to what a learner is told: pure functions over plain values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model.hpp"
#include "rubric.hpp"

namespace grader {

// One flavour's result in one word, as in the table.
enum class Mark {
  none,  // not looked at: an earlier step failed, or there is nothing to run
  ok,
  build,    // does not compile
  refused,  // contains what a submission may not
  fail,     // an expectation does not hold
  race,
  memory,  // a sanitizer complained
  crash,
  hang,
  cheat,    // tampered
  off,      // this machine can't run it; does not count
  unclear,  // the machine stood in the way
};

struct FlavourResult {
  Flavour flavour = Flavour::plain;
  bool built = false;  // `build` was tried
  bool ran = false;    // `run` was tried
  BuildOutcome build;
  RunOutcome run;
};

// Of a program that was built elsewhere.
FlavourResult result_of(Flavour flavour, RunOutcome run);

Mark mark_of(const FlavourResult& result);

// One thing that is wrong, the way it is shown.
struct Finding {
  Flavour flavour = Flavour::plain;
  Mark mark = Mark::none;
  std::string test;      // "Basic.X"; empty: not about one test
  std::string headline;  // what went wrong, one sentence or the failed expectation
  std::string place;     // "04_promise/suite.cpp:88"
  std::string detail;    // a report, stacks, a story; may be long
  std::string token;     // replays a failing schedule
};

// Everything that is wrong, the thing to look at first in front: what keeps it from compiling,
// then Basic tests, then a schedule that fails (it explains the most), then the other flavours.
std::vector<Finding> findings_of(const std::vector<FlavourResult>& results);

// What to look at first in one flavour, as text: test, place, headline and detail.
std::string first_finding(const FlavourResult& result);

Standing standing_of(const std::vector<FlavourResult>& results);

struct TestCount {
  int passed = 0;
  int all = 0;
};
TestCount count_tests(const FlavourResult& result);

// Is there a reason not to run the other flavours: it does not build, or a Basic test fails?
bool stops_here(const FlavourResult& plain);

// How a version was broken by a test, for the report: "an assertion", "a race report"…
std::string how_it_broke(const TestResult& test);

}  // namespace grader
