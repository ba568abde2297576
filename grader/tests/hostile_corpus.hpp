// The corpus of hostile submissions in hostile/, and a workbench of its own to grade them on.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bench.hpp"
#include "verdict.hpp"
#include "workbook.hpp"

namespace grader::hostile {

// "// expect: failed|hung : some words|other words": one of the verdicts, and one of the words in
// the reason.
struct Expectation {
  std::vector<std::string> verdicts;
  std::vector<std::string> words;
};

struct Case {
  std::string name;
  std::string source;
  Expectation expect;
  // What becomes of it when the rules on its text are switched off: the sandbox and the result
  // channel have to hold by themselves. Without verdicts: not tried.
  Expectation behind;
};

// By name. Throws std::runtime_error for a header that does not say what is expected of it.
std::vector<Case> read_corpus(const std::filesystem::path& folder);

struct Graded {
  std::string verdict;  // "refused", "not built", "failed", "crashed", "hung", "tampered", "passed"
  std::string reason;   // what the author is told first
  int points = 0;
  double seconds = 0;
};

// Paths and contents of all files below a folder, to see whether something changed. Symbolic links
// are not followed.
std::map<std::string, std::string> snapshot(const std::filesystem::path& folder);

// A private copy of the workbook, with a canary folder that anybody may write to.
class Ground {
 public:
  Ground();
  ~Ground();
  Ground(const Ground&) = delete;
  Ground& operator=(const Ground&) = delete;

  const Workbook& workbook() const { return workbook_; }
  const std::filesystem::path& scratch() const { return scratch_; }
  std::filesystem::path canary() const { return scratch_ / "canary"; }

  Bench& bench() { return *bench_; }
  const Task& task() const { return task_; }

  // Grades a header of task 1 as far as its plain verdict. Safe from several threads.
  Graded grade(const Case& one, bool behind);
  // The same for files that are there already.
  Graded grade_header(const Task& task, const std::filesystem::path& header);

  // What changed in the workbook or the canary since the beginning; empty: nothing.
  std::vector<std::string> changes() const;

 private:
  std::filesystem::path scratch_;
  Workbook workbook_;
  std::unique_ptr<Bench> bench_;
  Task task_;
  Task blind_task_;
  std::map<std::string, std::string> before_;
};

// Processes that we started, or that their makers left to us. Call become_reaper() first.
void become_reaper();
std::vector<int> children_left();

}  // namespace grader::hostile
