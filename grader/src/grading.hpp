// Grades a submission: builds, runs, judges, keeps the ledger. Says what it finds as it finds it.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "bench.hpp"
#include "own_test.hpp"
#include "predictions.hpp"
#include "rubric.hpp"
#include "verdict.hpp"
#include "workbook.hpp"

namespace grader {

// Whose header of an earlier task this one was graded with.
struct UsedHeader {
  int task = 0;
  bool learners = false;  // false: the reference's, since the learner's does not pass
};

struct TaskReport {
  const Task* task = nullptr;
  Evidence evidence;
  Score score;
  std::vector<FlavourResult> flavours;  // in the order plain, thread, address, explored
  std::vector<Finding> findings;        // the first thing to look at in front
  OwnTestReport own_test;
  PredictionsReport predictions;  // played only when something was predicted
  std::vector<UsedHeader> uses;
  int hints_opened = 0;
  int versions_kept = 0;
  double seconds = 0;
};

struct GradeReport {
  Submission submission;
  std::vector<TaskReport> tasks;
  int total = 0;
  int out_of = 0;
  bool whole = false;   // every task of the workbook was graded
  bool settled = true;  // false: some task has no verdict, the total is a lower bound
  std::string toolchain;
  bool sandboxed = true;
  std::vector<std::string> notices;
  double seconds = 0;
};

struct GradeOptions {
  std::vector<int> tasks;   // empty: all
  bool keep_ledger = true;  // false: nothing is written into the submission
  bool fresh = false;       // run everything again, whatever is known
  unsigned jobs = 0;        // programs run at a time; 0: as many as there are processors
};

// What happens while grading. Called from several threads, one call at a time.
struct GradeEvents {
  std::function<void(const std::string&)> doing = [](const std::string&) {};
  std::function<void(const TaskReport&)> plain_verdict = [](const TaskReport&) {};
};

// Grades; throws MachineError when nothing can be built. When `stop` was requested the report is
// incomplete and must not be shown as a verdict.
GradeReport grade(const Workbook& workbook, const Submission& submission, Bench& bench,
                  const GradeOptions& options, const GradeEvents& events, std::stop_token stop);

}  // namespace grader
