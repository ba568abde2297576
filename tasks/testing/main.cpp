// main() of every suite and every my_test.cpp, but for the explored flavour. By hand it is an
// ordinary GoogleTest program; with a result channel it tells the grader what it sees.
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <unistd.h>

#include "testing/crash.hpp"
#include "testing/judge.hpp"
#include "testing/process.hpp"
#include "testing/report.hpp"
#include "testing/reporter.hpp"
#include "testing/result_channel.hpp"
#include "testing/watchdog.hpp"

namespace {

// Proof for the grader that failures arrive: a program in which this does not fail is not believed.
class MustFail : public testing::Test {
  void TestBody() override { ADD_FAILURE() << "this failure was asked for"; }
};

// Tests run in the order in which they are registered, and this one has to be the first.
[[gnu::constructor(101)]] void register_canary() {
  if (!workbook::ResultChannel::instance().present()) return;
  testing::RegisterTest("Canary", "MustFail", nullptr, nullptr, __FILE__, __LINE__,
                        []() -> testing::Test* { return new MustFail; });
}

void let_canary_run() {
  const std::string filter = GTEST_FLAG_GET(filter);
  const bool only_exclusions = filter.starts_with('-');
  if (!only_exclusions) GTEST_FLAG_SET(filter, "Canary.MustFail:" + filter);
}

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr || *text == '\0' ? otherwise : std::strtoull(text, nullptr, 10);
}

const workbook::Judge* set_up_listeners(bool for_grader) {
  auto& listeners = testing::UnitTest::GetInstance()->listeners();
  std::unique_ptr<testing::TestEventListener> console(
      listeners.Release(listeners.default_result_printer()));
  if (for_grader) console.reset();
  listeners.Append(new workbook::Reporter(std::move(console)));
  auto* judge = new workbook::Judge;
  listeners.Append(judge);
  return judge;
}

}  // namespace

int main(int argc, char** argv) {
  if (const auto status = workbook::play_role(argc, argv)) return *status;
  testing::InitGoogleTest(&argc, argv);
  const bool for_grader = workbook::ResultChannel::instance().present();
  if (for_grader) let_canary_run();
  workbook::report::seed = number_from("WORKBOOK_SEED", 1);
  workbook::report_crashes();
  workbook::Watchdog::start(std::chrono::seconds(number_from("WORKBOOK_TEST_SECONDS", 20)));
  const auto* judge = set_up_listeners(for_grader);
  const int status = RUN_ALL_TESTS();
  // Destroying what a thread that was left behind still uses may crash or block. It has been
  // reported, so the program just ends.
  if (judge->threads_were_left()) ::_exit(status);
  workbook::Watchdog::test_begins("the end of the program");
  return status;
}
