// Right tests pass, however slow, odd or starved.
#include <csignal>
#include <thread>
#include <vector>

#include "testing/tests/verdicts.hpp"

namespace {

using namespace workbook::test;
using namespace std::chrono_literals;

class RightTest : public testing::TestWithParam<const char*> {};

TEST_P(RightTest, Passes) {
  const std::string name = std::string("Right.") + GetParam();
  const auto outcome = run_sample(name);
  EXPECT_EQ(outcome.status(name), "passed") << outcome.failures(name) << outcome.hang();
  EXPECT_EQ(outcome.of("failure", name).size(), 0u);
  EXPECT_TRUE(outcome.done());
  EXPECT_EQ(outcome.signal, 0);
}

INSTANTIATE_TEST_SUITE_P(Verdict, RightTest,
                         testing::Values("Passes", "SleepsForFiveSeconds", "AThreadEndsLate",
                                         "ThousandsOfThreadsEndAfterTheTest", "ComputesForLong",
                                         "ComputesOnEightThreads", "WaitsForAChildProcess",
                                         "ATimerWakesWhoPollsAfterSevenSeconds",
                                         "ATimerOpensTheGateAfterSevenSeconds",
                                         "WaitsForAThreadThatComputes", "AThousandThreadsAtOnce",
                                         "KeepsMemoryReachable"),
                         [](const auto& info) { return info.param; });

TEST(Verdict, ASkippedTestIsSkipped) {
  const auto outcome = run_sample("Right.IsSkipped");
  EXPECT_EQ(outcome.status("Right.IsSkipped"), "skipped");
}

TEST(Verdict, TheOrderOfEventsIsFixed) {
  const auto outcome = run_sample("Right.Passes");
  std::vector<std::string> kinds;
  for (const auto& event : outcome.events) kinds.push_back(event.at("event"));
  const std::vector<std::string> expected{"begin", "start", "failure", "end",
                                          "start", "end",   "done"};
  EXPECT_EQ(kinds, expected);
  EXPECT_EQ(outcome.events[0].at("tests"),
            (std::vector<std::string>{"Canary.MustFail", "Right.Passes"}));
  EXPECT_EQ(outcome.events[1].at("test"), "Canary.MustFail");
  EXPECT_EQ(outcome.status("Canary.MustFail"), "failed");
  EXPECT_EQ(outcome.events.back().at("ran"), 2);
  EXPECT_TRUE(outcome.other_lines.empty());
}

TEST(Verdict, TheCanaryRunsUnderAnyFilter) {
  for (const std::string filter :
       {"-Wrong*:Hostile*:Right*:Property*", "Right.Pass*:-Right.PassesNot"}) {
    const auto outcome = run_sample(filter);
    EXPECT_EQ(outcome.status("Canary.MustFail"), "failed") << filter;
  }
}

TEST(Verdict, ByHandThereIsNoCanaryButOrdinaryOutput) {
  const auto outcome = run_sample("Right.Passes", {.with_channel = false});
  EXPECT_EQ(outcome.exit_status, 0);
  EXPECT_TRUE(has(outcome.output, "[  PASSED  ] 1 test."));
  EXPECT_FALSE(has(outcome.output, "Canary"));
}

TEST(Verdict, CountersAreTold) {
  const auto outcome = run_sample("Right.CountsItsRounds:Right.Passes");
  const auto counters = outcome.of("counters");
  ASSERT_EQ(counters.size(), 1u);
  EXPECT_EQ(counters[0].at("test"), "Right.CountsItsRounds");
  EXPECT_EQ(counters[0].at("stress_rounds"), 12);
  EXPECT_EQ(counters[0].at("property_cases"), 0);
}

TEST(Verdict, ObservationsAreTold) {
  const auto observed = run_sample("Right.SaysWhatItObserved").of("observed");
  ASSERT_EQ(observed.size(), 1u);
  EXPECT_EQ(observed[0].at("test"), "Right.SaysWhatItObserved");
  EXPECT_EQ(observed[0].at("question"), "when does the producer end");
  EXPECT_EQ(observed[0].at("answer"), "when its function \"returns\"");
}

// Keeps all processors busy with something else.
class BusyMachine {
 public:
  explicit BusyMachine(unsigned loops) {
    for (unsigned i = 0; i < loops; ++i) {
      loops_.emplace_back([](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
        }
      });
    }
  }

 private:
  std::vector<std::jthread> loops_;
};

// Two seconds of work, a limit of three, and a machine that has a third of its time to give.
TEST(Verdict, OnABusyMachineASlowTestGetsTheTimeItNeeds) {
  const BusyMachine busy(2 * std::thread::hardware_concurrency());
  for (const std::string name : {"Right.ComputesForLong", "Right.ComputesOnEightThreads"}) {
    const auto outcome = run_sample(name, {.environment = {{"WORKBOOK_TEST_SECONDS", "3"}}});
    EXPECT_EQ(outcome.status(name), "passed") << outcome.hang();
    RecordProperty(name, std::to_string(outcome.took.count()));
  }
}

TEST(Verdict, OnABusyMachineNoThreadIsSaidToBeLeftBehind) {
  const BusyMachine busy(2 * std::thread::hardware_concurrency());
  for (const std::string name :
       {"Right.ThousandsOfThreadsEndAfterTheTest", "Right.AThreadEndsLate"}) {
    const auto outcome = run_sample(name);
    EXPECT_EQ(outcome.status(name), "passed") << outcome.failures(name) << outcome.hang();
  }
}

// The machine was asleep, or the process was: nobody could have moved, so nobody is stuck.
TEST(Verdict, AProcessThatWasStoppedForAWhileIsNotStuck) {
  const std::string name = "Right.WaitsForAThreadThatComputes";
  const auto outcome = run_sample(name, {.meanwhile = [](pid_t child) {
                                    std::this_thread::sleep_for(300ms);
                                    ::kill(child, SIGSTOP);
                                    std::this_thread::sleep_for(6s);
                                    ::kill(child, SIGCONT);
                                  }});
  EXPECT_EQ(outcome.status(name), "passed") << outcome.hang();
}

// Nor does time pass for it.
TEST(Verdict, TheTimeThatAProcessWasStoppedForIsNotHeldAgainstATest) {
  const std::string name = "Right.ComputesForLong";
  const auto outcome = run_sample(
      name, {.environment = {{"WORKBOOK_TEST_SECONDS", "5"}}, .meanwhile = [](pid_t child) {
               std::this_thread::sleep_for(1200ms);
               ::kill(child, SIGSTOP);
               std::this_thread::sleep_for(7s);
               ::kill(child, SIGCONT);
             }});
  EXPECT_EQ(outcome.status(name), "passed") << outcome.hang();
}

TEST(Verdict, APropertyThatHoldsPassesAndIsCounted) {
  const auto outcome = run_sample("Property.Holds");
  EXPECT_EQ(outcome.status("Property.Holds"), "passed") << outcome.failures("Property.Holds");
  const auto counters = outcome.of("counters");
  ASSERT_EQ(counters.size(), 1u);
  EXPECT_EQ(counters[0].at("property_cases"), 2 * workbook::rounds(100));
}

}  // namespace
