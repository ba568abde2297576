// What the grader can be asked to do. Each command says what it has to say on the screen and
// returns the exit status of the process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "bench.hpp"
#include "screen.hpp"
#include "workbook.hpp"

namespace grader {

// Exit statuses, the same for every command.
inline constexpr int status_done = 0;
inline constexpr int status_below = 1;  // graded below --fail-below; a check found something
inline constexpr int status_usage = 2;
inline constexpr int status_machine = 3;  // this machine can't grade
inline constexpr int status_interrupted = 130;

// What all commands share.
struct Setting {
  Workbook workbook;
  Screen& screen;
  std::stop_token stop;
  unsigned jobs = 0;
  bool require_sandbox = false;
};

BenchOptions bench_options(const Setting& setting);

struct GradeRequest {
  std::vector<int> tasks;
  std::filesystem::path submission;
  std::filesystem::path json;  // empty: build/results.json
  std::optional<int> fail_below;
  bool keep_ledger = true;
  bool fresh = false;
};
int run_grade(const Setting& setting, const GradeRequest& request);

// Shows the next hint that was not shown yet, or all again, and writes it into the ledger.
int run_hint(const Setting& setting, int task, const std::filesystem::path& submission);

// Shows the reference, and writes that into the ledger.
int run_solution(const Setting& setting, int task, const std::filesystem::path& submission);

// Plays the scenes whose outcome the learner was asked to predict, and shows both.
int run_predict(const Setting& setting, int task, const std::filesystem::path& submission);

// Tasks, levels, and how far the submission's ledger says each is. Builds nothing.
int run_list(const Setting& setting, const std::filesystem::path& submission);

// Do tasks/ and solutions/ fit together? With `fix`, copied and computed parts are renewed.
int run_verify(const Setting& setting, bool fix);

struct AuditRequest {
  // Neither tasks nor challenges: all of both. Else in this order.
  std::vector<int> tasks;
  std::vector<std::string> challenges;
  std::vector<std::string> flavours;  // empty: all
  bool quick = false;  // one grading each; a wrong version only until something rejects it
  int earlier_runs = 20;
  int right_runs = 20;
  // Of all wrong versions every parts-th, from number part % parts on.
  std::size_t parts = 1;
  std::size_t part = 0;
  bool loaded = false;     // half of the runs with every core kept busy by something else
  bool scorecard = false;  // sum up as a scorecard instead of a line for each version
  bool own_tests = false;  // only the references' own tests, on every right version
  // A folder with NN_name/{earlier,alternative}/*.hpp to audit instead of solutions/.
  std::filesystem::path versions;
  std::filesystem::path json;
};
int run_audit(const Setting& setting, const AuditRequest& request);

// Does every solutions/*/my_test.cpp pass on every right version of its task?
int audit_own_tests(const Setting& setting, const AuditRequest& request);

struct ExploreRequest {
  int task = 0;
  std::filesystem::path submission;
  long schedules = 0;  // 0: the task's own budget of time
  std::uint64_t seed = 0;
  std::string token;  // replay this one
  bool own_test = false;
};
int run_explore(const Setting& setting, const ExploreRequest& request);

struct StretchRequest {
  std::vector<std::string> challenges;  // "s1"; empty: all
  std::filesystem::path submission;
  std::uint64_t seed = 0;      // where chance starts in what is measured
  std::filesystem::path json;  // empty: build/stretch/results.json
};

// The stretch challenges: met or not met, why, and what was measured.
int run_stretch(const Setting& setting, const StretchRequest& request);

}  // namespace grader
