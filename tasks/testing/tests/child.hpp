// Runs a program of the kit as the grader does: with a result channel, and believing nothing else.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <sys/types.h>
#include <vector>

namespace workbook::test {

struct Options {
  std::string filter = "*";
  std::map<std::string, std::string> environment = {};  // besides that of this process
  std::size_t most_memory = 0;                          // bytes of address space, 0: no limit
  bool with_channel = true;
  std::function<void(pid_t)> meanwhile =
      {};  // called once the program has started a test of its own
};

struct Outcome {
  std::vector<nlohmann::json> events;    // of lines that carry the nonce
  std::vector<std::string> other_lines;  // of the channel
  std::string output;                    // stdout and stderr
  int exit_status = -1;                  // -1: ended by a signal
  int signal = 0;
  std::chrono::duration<double> took{0};

  // The events of one kind, for one test unless it is empty.
  std::vector<nlohmann::json> of(const std::string& kind, const std::string& test = "") const;
  // "passed", "failed", "skipped"; empty when the test's end was not told.
  std::string status(const std::string& test) const;
  // All failures of the test, one after the other.
  std::string failures(const std::string& test) const;
  // The text of the hang event, reason and stacks; empty when there was none.
  std::string hang() const;
  bool done() const { return !of("done").empty(); }
};

// Kills the program after two minutes.
Outcome run(const std::string& program, const Options& options);

}  // namespace workbook::test
