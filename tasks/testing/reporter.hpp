// Turns what GoogleTest says into events on the result channel and into messages for a learner.
#pragma once

#include <chrono>
#include <gtest/gtest.h>
#include <memory>
#include <set>
#include <string>

#include "testing/result_channel.hpp"

namespace workbook {

// The last of the listeners that show something: those that make a test fail after its end must be
// appended behind it, GoogleTest calls them first then.
//
// A failure's message gets the place in the running stress and the lines of the Histories that are
// alive. One that is repeated within a test is told once, and ten different ones are enough.
class Reporter : public testing::TestEventListener {
 public:
  // console (may be null) is told the same, in the words of the channel.
  explicit Reporter(std::unique_ptr<testing::TestEventListener> console);

  void OnTestProgramStart(const testing::UnitTest& unit) override;
  void OnTestIterationStart(const testing::UnitTest& unit, int iteration) override;
  void OnEnvironmentsSetUpStart(const testing::UnitTest& unit) override;
  void OnEnvironmentsSetUpEnd(const testing::UnitTest& unit) override;
  void OnTestSuiteStart(const testing::TestSuite& suite) override;
  void OnTestStart(const testing::TestInfo& test) override;
  void OnTestPartResult(const testing::TestPartResult& result) override;
  void OnTestEnd(const testing::TestInfo& test) override;
  void OnTestSuiteEnd(const testing::TestSuite& suite) override;
  void OnEnvironmentsTearDownStart(const testing::UnitTest& unit) override;
  void OnEnvironmentsTearDownEnd(const testing::UnitTest& unit) override;
  void OnTestIterationEnd(const testing::UnitTest& unit, int iteration) override;
  void OnTestProgramEnd(const testing::UnitTest& unit) override;

 private:
  void tell_counters(const std::string& test);

  std::unique_ptr<testing::TestEventListener> console_;
  // Everything below is used under GoogleTest's own lock, or by the main thread between tests.
  const testing::TestInfo* test_ = nullptr;  // the running one
  std::set<std::string> told_;
  int untold_ = 0;
  int ran_ = 0;
  std::chrono::steady_clock::time_point start_;
};

// What was observed until now, which a message alone does not tell: the place in the running stress
// and the lines of all Histories, each on lines of their own; empty when there are none.
std::string circumstances();

// "Stress.Name" as in filters and events.
std::string full_name(const testing::TestInfo& test);

}  // namespace workbook
