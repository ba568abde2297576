// The workbook's spawn() keeps exceptions that escape from a spawned function for whoever asks, its
// testing kit what a test observed.
// Compiled with the workbook's tasks/ on the include path; elsewhere there is nothing to ask.
#include "gtest/test_runs.hpp"

#if __has_include("testing/report.hpp")
#include "testing/report.hpp"
#define EXPLORER_HAS_REPORT 1
#endif

#if __has_include("runtime/spawn.hpp")
#include "runtime/spawn.hpp"
#define EXPLORER_HAS_SPAWN 1
#endif

namespace explorer {

std::string trouble_after_test() {
#ifdef EXPLORER_HAS_SPAWN
  auto escaped = futures::take_escaped_exceptions();
  if (!escaped.empty()) return escaped.front();
#endif
  return {};
}

std::vector<Observation> observations_after_test() {
  std::vector<Observation> seen;
#ifdef EXPLORER_HAS_REPORT
  for (auto& [question, answer] : workbook::report::take_observations())
    seen.push_back({std::move(question), std::move(answer)});
#endif
  return seen;
}

}  // namespace explorer
