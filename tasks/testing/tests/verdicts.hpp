// What the verdicts' tests share.
#pragma once

#include <fstream>
#include <gtest/gtest.h>
#include <string>

#include "testing/flavour.hpp"
#include "testing/tests/child.hpp"

namespace workbook::test {

inline Outcome run_sample(const std::string& filter, Options options = {}) {
  options.filter = filter;
  return run(SAMPLES, options);
}

// Runs a test that the watchdog has to end, with a short limit for those that never block.
inline Outcome run_endless(const std::string& filter) {
  return run_sample(filter, {.environment = {{"WORKBOOK_TEST_SECONDS", "2"}}});
}

// "samples_wrong.cpp:123", the line with the comment "// here: <marker>".
inline std::string place_of(const std::string& file, const std::string& marker) {
  std::ifstream source(std::string(SAMPLE_SOURCES) + "/" + file);
  int number = 0;
  for (std::string line; std::getline(source, line);) {
    ++number;
    if (line.ends_with("// here: " + marker)) return file + ":" + std::to_string(number);
  }
  ADD_FAILURE() << "no line is marked with " << marker;
  return "?";
}

inline testing::AssertionResult has(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "no \"" << part << "\" in:\n" << text;
}

}  // namespace workbook::test
