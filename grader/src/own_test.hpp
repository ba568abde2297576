// The third point: does the learner's my_test.cpp break a version that is wrong, and only such?
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "bench.hpp"
#include "odds.hpp"
#include "rubric.hpp"
#include "workbook.hpp"

namespace grader {

// A version of the task's header that was kept while the learner worked, and that the suite failed.
struct KeptVersion {
  int number = 0;
  std::filesystem::path file;
};

struct OwnTestCase {
  const Workbook* workbook = nullptr;
  const Submission* submission = nullptr;
  const Task* task = nullptr;
  std::vector<std::filesystem::path> uses;  // headers for task->uses
  std::vector<KeptVersion> kept;            // newest last
  bool fresh = false;                       // forget what earlier gradings found out
  std::function<void(const std::string&)> doing = {};
};

struct OwnTestReport {
  OwnTest verdict = OwnTest::not_tried;
  std::string why;      // one sentence: why it does, or does not, qualify
  std::string detail;   // a failure's message or a compiler's error; may be empty
  std::string version;  // what it broke: "your version 3", "the workbook's \"notify after unlock\""
  std::string flaw;     // what was wrong with that version, as its first line says
  std::string how;      // "a failed expectation", "a race report"…
  Tally runs;           // of the version it broke
  int right_runs = 0;   // of right versions, all passed
  double seconds = 0;
};

// Tries my_test.cpp of the submission. The task must pass. Takes seconds, in the worst case a
// minute and a half; what was found is kept below the build folder.
OwnTestReport judge_own_test(const OwnTestCase& own, Bench& bench, std::stop_token stop);

// A version that fails the task's Basic tests is no earlier version of a right one. `suite`: the
// task's, plain, with the version as its header. nullopt: the machine stood in the way.
std::optional<bool> passes_basic(const Program& suite, Bench& bench, std::stop_token stop);

}  // namespace grader
