// What every test is held to, whatever it tests: no thread left behind, no exception lost, no
// memory lost. For main().
#pragma once

#include <gtest/gtest.h>

#include "testing/leftovers.hpp"

namespace workbook {

// Must be the last listener that is appended: GoogleTest calls it first at the end of a test, while
// failures still belong to it. Also tells the watchdog which test is running.
class Judge : public testing::EmptyTestEventListener {
 public:
  void OnTestStart(const testing::TestInfo& test) override;
  void OnTestEnd(const testing::TestInfo& test) override;

  // Whether any test so far has left a thread behind.
  bool threads_were_left() const { return threads_were_left_; }

 private:
  bool check_threads(const testing::TestInfo& test);
  void check_exceptions(const testing::TestInfo& test);
  void check_memory(const testing::TestInfo& test);

  Leftovers leftovers_;
  bool threads_were_left_ = false;
};

}  // namespace workbook
