#pragma once

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "channel.hpp"
#include "model.hpp"
#include "process.hpp"
#include "sandbox.hpp"

namespace grader {

// What a run needs besides the program.
struct RunPlan {
  std::filesystem::path folder;  // has `program` in it
  const Task* task = nullptr;
  Flavour flavour = Flavour::plain;
  RunOptions options;
  bool uses_fences = false;  // the header calls atomic_thread_fence
  bool processes = false;    // the tests start other processes
  // How long a test may run while it is not kept from running; 0: what nearly every right version
  // stays far below on nearly every machine.
  unsigned test_seconds = 0;
};

// Runs a program's tests to the end, whatever the program does: a process that dies takes only the
// test it died in with it, and is started again for the rest (three times at most). What the
// machine did is told apart from what the program did, and tried once more.
class Runner {
 public:
  Runner(const Sandbox& sandbox, RunPlan plan, std::stop_token stop);

  RunOutcome run();

  // How long a test may run.
  unsigned test_seconds() const;

  // `program --gtest_list_tests`, parsed; empty when it fails.
  static std::vector<std::string> list_tests(const Sandbox& sandbox,
                                             const std::filesystem::path& folder,
                                             const std::stop_token& stop);

 private:
  struct Launch {
    ChannelLog log;
    ProcessResult process;
    bool killed_from_outside = false;  // the kernel ran out of memory meanwhile
  };

  Launch launch(const std::vector<std::string>& tests) const;
  Box box() const;
  OuterLimits limits() const;
  std::vector<std::string> arguments(const std::vector<std::string>& tests) const;

  std::string machine_trouble(const Launch& launch) const;
  void take_results(Launch& launch);
  void judge_death(Launch& launch);
  void judge_exit(const Launch& launch);
  std::vector<std::string> left_over() const;
  std::vector<std::string> wanted_tests() const;
  TestResult& result_of(const std::string& name);
  RunOutcome finish();
  void judge_the_unexplored();

  const Sandbox& sandbox_;
  RunPlan plan_;
  std::stop_token stop_;
  double crowding_;  // how much longer anything takes on this machine now
  RunOutcome outcome_;
  std::vector<std::string> order_;  // tests that must come, in this order
  std::map<std::string, TestResult> results_;
};

// The address of the user's own server that this task's tests shall use (REDIS_URL); empty when
// there is none, and they start private ones.
std::string own_server(const Task& task);

// gtest's --gtest_filter: "A.*:B.?-A.Slow*".
bool matches_filter(const std::string& test, const std::string& filter);

// The tests that `--gtest_list_tests` printed, without the kit's own.
std::vector<std::string> parse_test_list(std::string_view printed);

}  // namespace grader
