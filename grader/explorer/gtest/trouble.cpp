// The workbook's spawn() keeps exceptions that escape from a spawned function for whoever asks.
// Compiled with the workbook's tasks/ on the include path; elsewhere there is nothing to ask.
#include "gtest/test_runs.hpp"

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

}  // namespace explorer
