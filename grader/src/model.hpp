#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

// What the bench (which builds and runs programs) and the verdict (which decides what they are
// worth) say to each other. Plain values: copy them, keep them, send them to another thread.
namespace grader {

// How a program is compiled. `explored` runs under the schedule explorer instead of real threads.
enum class Flavour { plain, thread, address, explored };

inline constexpr Flavour all_flavours[] = {Flavour::plain, Flavour::thread, Flavour::address,
                                           Flavour::explored};

// "plain", "thread", "address", "explored": the word used in files, options and reports.
std::string_view to_string(Flavour flavour);

// One test's result in one run.
enum class Outcome {
  passed,
  failed,        // an expectation did not hold
  crashed,       // the process died inside this test (signal, uncaught exception, exit)
  hung,          // the watchdog found every thread blocked, or the test would not end
  raced,         // ThreadSanitizer or the explorer saw a data race
  sanitizer,     // AddressSanitizer, UndefinedBehaviorSanitizer or LeakSanitizer complained
  tampered,      // started, passed or reported in a way an honest program cannot
  missing,       // expected, and never seen
  not_run,       // not reached, because the program died too often before it
  inconclusive,  // the machine, not the program, stood in the way
};

std::string_view to_string(Outcome outcome);

// A failed expectation. `file` is as the compiler saw it, e.g. "04_promise/suite.cpp".
struct Failure {
  std::string file;
  int line = 0;
  std::string message;
};

// What a test of predict.cpp saw happen, for the learner's predictions.
struct Observation {
  std::string question;
  std::string answer;
};

struct TestResult {
  std::string name;  // "Basic.ASecondReceiveReturnsNulloptAtOnce"
  Outcome outcome = Outcome::not_run;
  std::vector<Failure> failures;
  std::string headline;  // one line: what went wrong, for someone who sees nothing else
  std::string detail;    // stacks, a sanitizer's report, the story of a schedule
  double ms = 0;
  long stress_rounds = 0;
  long property_cases = 0;
  std::string verdict;  // explored: what the verdict rests on
  std::string token;    // explored: replays the failing schedule
  std::vector<Observation> observations;
};

// The budgets of a task's explored tests.
struct ExploreBudget {
  double seconds = 4;  // 0: the task has nothing to explore
  int bound = 2;       // preemptions
};

// A task as its task.toml describes it.
struct Task {
  int number = 0;
  std::string folder;  // "04_promise"
  std::string title;
  std::string level;
  std::string header;                 // "promise.hpp"
  std::vector<int> uses;              // numbers of the tasks whose header this one includes
  std::vector<std::string> services;  // e.g. "redis"
  std::vector<std::string> allows;    // system calls beyond computing: "files", "processes"
  bool lifecycle = false;
  std::string starter_hash;                       // of the untouched header's tokens
  std::string starter_test_hash;                  // of the untouched my_test.cpp's tokens
  std::vector<std::string> own_test_meets_first;  // of the known flawed versions, without ".hpp"
  ExploreBudget explore;
  std::filesystem::path dir;       // the folder itself, absolute
  std::filesystem::path solution;  // where its reference and its known versions are, absolute
};

// One header against one source in one flavour: what build() makes a binary from.
// Contents decide, not names or times: two programs with the same bytes share one binary.
struct Program {
  const Task* task = nullptr;
  std::filesystem::path source;             // the task's suite.cpp, or somebody's my_test.cpp
  std::filesystem::path header;             // the version under test, whatever its file name
  std::vector<std::filesystem::path> uses;  // headers for task->uses, in that order
  Flavour flavour = Flavour::plain;
  std::string label;              // for progress and messages, e.g. "04_promise plain"
  std::stop_token unwanted = {};  // stopped: a build that has not ended is given up
};

struct BuildOutcome {
  bool ok = false;
  std::string error;     // for a beginner: place, message, source line
  std::string full_log;  // everything the compiler said (capped)
  std::string refused;   // not built or not run, because of what the header contains; says what
  std::string machine;   // not the learner's fault (disk full, killed by others): inconclusive
  bool timed_out = false;
  bool abandoned = false;  // Program::unwanted was stopped first; nothing else is set
  bool cached = false;
  double seconds = 0;
};

struct RunOptions {
  std::string filter;  // as --gtest_filter; empty: all (explored: only suite Explored)
  std::uint64_t seed = 0;
  double explore_seconds = 0;  // 0: the task's own budget
  long explore_schedules = 0;  // 0: no limit but the time
  bool use_cache = true;
  // What comes after the first test that failed is not reached. For questions that one failure
  // answers; such an outcome is not kept.
  bool stop_at_failure = false;
  unsigned test_seconds = 0;  // how long a test may run on an idle machine; 0: as long as usual
  std::vector<std::string> expected;  // every one must be seen; empty: what the program announces
  std::string replay_token;           // explored: run this one schedule
  bool observe = false;               // explored: the undisturbed schedule, told also if it passes
};

struct RunOutcome {
  std::vector<TestResult> tests;
  std::string problem;  // tampered, ended before the tests ran, output flood; empty when fine
  std::string machine;  // the machine stood in the way, twice; some tests are inconclusive
  bool explored_unavailable = false;
  bool too_slow = false;  // a test was ended because of its time limit, not because it stood still
  std::string notice;     // worth telling once, changes nothing about the verdict
  std::string output;     // what the program printed (capped)
  bool cached = false;
  double seconds = 0;
};

}  // namespace grader
