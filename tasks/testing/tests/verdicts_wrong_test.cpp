// Wrong tests fail, soon, and with a message that helps.
#include <csignal>

#include "testing/tests/verdicts.hpp"

namespace {

using namespace workbook::test;
using workbook::Flavour;
using workbook::flavour;

constexpr int hang_status = 86;

// The failures of a test that fails and lets the program go on.
std::string failures_of(const std::string& name, Options options = {}) {
  const auto outcome = run_sample(name, std::move(options));
  EXPECT_EQ(outcome.status(name), "failed") << outcome.output << outcome.hang();
  EXPECT_TRUE(outcome.done());
  return outcome.failures(name);
}

TEST(Failure, IsToldWithItsPlace) {
  const auto text = failures_of("Wrong.Fails");
  EXPECT_TRUE(has(text, "samples_wrong.cpp:"));
  EXPECT_TRUE(has(text, "Which is: 2"));
  EXPECT_TRUE(has(text, "so much for sums"));
}

TEST(Failure, IsToldTenTimesAtMost) {
  const auto outcome = run_sample("Wrong.FailsAThousandTimes");
  EXPECT_EQ(outcome.of("failure", "Wrong.FailsAThousandTimes").size(), 10u);
  EXPECT_EQ(outcome.status("Wrong.FailsAThousandTimes"), "failed");
}

TEST(Failure, IsToldOnceWhenItIsRepeated) {
  const auto outcome = run_sample("Wrong.FailsTheSameWayAThousandTimes");
  EXPECT_EQ(outcome.of("failure", "Wrong.FailsTheSameWayAThousandTimes").size(), 1u);
}

TEST(Failure, MayContainAnyBytes) {
  const auto text = failures_of("Wrong.FailsWithBytesThatAreNoText");
  EXPECT_TRUE(has(text, "\"quoted\" \\"));
  EXPECT_TRUE(has(text, "\u00fc"));
}

TEST(Failure, OfSomethingUnwrittenSaysSoFirst) {
  for (const std::string name : {"Wrong.IsNotWritten", "Wrong.IsNotWrittenInAStress",
                                 "Wrong.IsNotWrittenInASpawnedFunction", "Property.IsNotWritten"}) {
    const auto outcome = run_sample(name);
    const auto failures = outcome.of("failure", name);
    ASSERT_EQ(failures.size(), 1u) << name;
    const auto message = failures[0].at("message").get<std::string>();
    EXPECT_TRUE(message.starts_with("not implemented yet: ")) << name << ": " << message;
    EXPECT_TRUE(outcome.done());
  }
}

TEST(Failure, ByAnExceptionHasItsText) {
  EXPECT_TRUE(has(failures_of("Wrong.Throws"), "an exception left the test: out of luck"));
  EXPECT_TRUE(has(failures_of("Wrong.ThrowsANumber"), "not a std::exception"));
}

TEST(Failure, ByAnExceptionOutOfASpawnedFunctionIsSeen) {
  EXPECT_TRUE(has(failures_of("Wrong.AnExceptionLeavesASpawnedFunction"), "nobody listens"));
}

TEST(AStressThatFails, NamesRoundAndThreadAndWhatWasObserved) {
  const auto text = failures_of("Wrong.FailsInTheSeventeenthRound");
  if (flavour() != Flavour::plain && flavour() != Flavour::thread &&
      flavour() != Flavour::address) {
    return;
  }
  EXPECT_TRUE(has(text, "two winners"));
  EXPECT_TRUE(has(text, "in round 17 of 50, on thread 2 of 4 (counting from 0)"));
  EXPECT_TRUE(has(text, "observed, in this order:\n1. T2: resolve(7) -> true"));
}

TEST(AStressThatFails, ByAnExceptionNamesItsText) {
  const auto text = failures_of("Wrong.ThrowsInTheThirdRound");
  EXPECT_TRUE(has(text, "an exception left the stress: out of luck"));
  EXPECT_TRUE(has(text, "in round 3 of 50, on thread 1 of 4"));
}

TEST(AStressThatFails, InItsCheckNamesTheRound) {
  const auto text = failures_of("Wrong.TheCheckAfterARoundFails");
  EXPECT_TRUE(has(text, "Which is: 6"));
  EXPECT_TRUE(has(text, "in round 0 of 50 (counting from 0)"));
}

TEST(AStressThatFails, FindsALostUpdate) {
  const auto text = failures_of("Wrong.LosesUpdates");
  EXPECT_TRUE(has(text, "8. T"));
  EXPECT_FALSE(has(text, "9. T"));
}

TEST(AStressThatFails, LetsThreadSanitizerSeeTheRace) {
  if (flavour() != Flavour::thread) GTEST_SKIP();
  const auto outcome =
      run_sample("Wrong.Races", {.environment = {{"TSAN_OPTIONS", "halt_on_error=1 exitcode=66"}}});
  EXPECT_EQ(outcome.exit_status, 66);
  EXPECT_TRUE(has(outcome.output, "WARNING: ThreadSanitizer: data race"));
  EXPECT_TRUE(has(outcome.output, "samples_wrong.cpp"));
  EXPECT_EQ(outcome.status("Wrong.Races"), "");
}

TEST(AMachineThatRefusesThreads, IsNotTheLearnersFault) {
  if (flavour() != Flavour::plain) GTEST_SKIP() << "sanitizers need all the address space";
  const auto outcome =
      run_sample("Wrong.NeedsMoreThreadsThanThereAre", {.most_memory = std::size_t{1} << 30});
  EXPECT_TRUE(has(outcome.failures("Wrong.NeedsMoreThreadsThanThereAre"),
                  "this machine refuses more threads: "));
  const auto inconclusive = outcome.of("inconclusive");
  ASSERT_EQ(inconclusive.size(), 1u);
  EXPECT_EQ(inconclusive[0].at("test"), "Wrong.NeedsMoreThreadsThanThereAre");
  EXPECT_TRUE(has(inconclusive[0].at("reason"), " of 1000 could be started"));
  EXPECT_TRUE(outcome.done());
}

TEST(AHang, IsToldWithTheLinesOfAllThreads) {
  const auto outcome = run_sample("Wrong.BlocksForEver");
  EXPECT_EQ(outcome.exit_status, hang_status);
  EXPECT_TRUE(has(outcome.hang(), "every thread is blocked"));
  EXPECT_TRUE(has(outcome.hang(), place_of("samples_wrong.cpp", "other thread blocks")));
  EXPECT_TRUE(has(outcome.hang(), place_of("samples_wrong.cpp", "test blocks")));
  EXPECT_TRUE(has(outcome.hang(), "the test's own thread, joining a thread"));
  EXPECT_TRUE(has(outcome.output, "Wrong.BlocksForEver hangs"));
  EXPECT_EQ(outcome.of("hang")[0].at("test"), "Wrong.BlocksForEver");
  EXPECT_EQ(outcome.status("Wrong.BlocksForEver"), "");
  RecordProperty("seconds", std::to_string(outcome.took.count()));
}

TEST(AHang, IsSeenThroughATimerThatIsFarAway) {
  EXPECT_TRUE(has(run_sample("Wrong.BlocksWithATimerFarAway").hang(), "every thread is blocked"));
}

TEST(AHang, ShowsWhatWasObserved) {
  const auto text = run_sample("Wrong.BlocksWithAHistory").hang();
  EXPECT_TRUE(has(text, "observed, in this order:\n1. T1: resolve(7) -> true"));
}

TEST(AHang, InAStressNamesTheRound) {
  EXPECT_TRUE(has(run_sample("Wrong.BlocksInAStress").hang(), "in round 3 of 10"));
}

TEST(AHang, OnAFileThatNobodyWritesIsSeenLater) {
  EXPECT_EQ(run_sample("Wrong.WaitsForAFileThatNobodyWrites").exit_status, hang_status);
}

TEST(AHang, ThatSpinsNamesTheLoop) {
  const auto text = run_endless("Wrong.SpinsForEver").hang();
  EXPECT_TRUE(has(text, "the test has been running for 2 seconds"));
  EXPECT_TRUE(has(text, place_of("samples_wrong.cpp", "spins").substr(0, 18)));
}

TEST(AHang, ThatSpinsOnManyThreadsIsSeen) {
  EXPECT_EQ(run_endless("Wrong.SpinsOnFourThreads").exit_status, hang_status);
}

TEST(AHang, ThatPollsIsSeen) {
  EXPECT_EQ(run_endless("Wrong.PollsForEver").exit_status, hang_status);
}

TEST(PatientWaiting, GivesUpWhenNothingElseCanMove) {
  for (const std::string name : {"Wrong.NeverEventually", "Wrong.NeverThroughTheGate"}) {
    const auto outcome = run_sample(name);
    EXPECT_EQ(outcome.status(name), "failed") << name << outcome.hang();
    EXPECT_TRUE(has(outcome.failures(name), "the message that explains it"));
    EXPECT_LT(outcome.took.count(), 120) << "patience alone would have taken ten minutes";
  }
}

TEST(AThreadLeftBehind, IsToldWithItsLine) {
  const auto text = failures_of("Wrong.LeavesABlockedThread");
  EXPECT_TRUE(has(text, "a thread was left behind:"));
  EXPECT_TRUE(has(text, place_of("samples_wrong.cpp", "left behind")));
}

TEST(AThreadLeftBehind, IsSeenAsleepAndSpinning) {
  EXPECT_TRUE(has(failures_of("Wrong.LeavesASleepingThread"), "a thread was left behind"));
  EXPECT_TRUE(has(failures_of("Wrong.LeavesASpinningThread"), "a thread was left behind"));
}

TEST(MemoryLeftBehind, IsAFailureOfItsTest) {
  if (flavour() != Flavour::address) GTEST_SKIP();
  const auto outcome = run_sample("Wrong.LosesMemory:Right.Passes");
  EXPECT_TRUE(has(outcome.failures("Wrong.LosesMemory"), "memory was lost:"));
  EXPECT_TRUE(has(outcome.failures("Wrong.LosesMemory"), "samples_wrong.cpp"));
  EXPECT_TRUE(outcome.done());
}

TEST(MemoryUsedAfterItWasFreed, EndsTheProgramInThatTest) {
  if (flavour() != Flavour::address) GTEST_SKIP();
  const auto outcome = run_sample("Wrong.UsesMemoryItHasFreed");
  EXPECT_EQ(outcome.of("start", "Wrong.UsesMemoryItHasFreed").size(), 1u);
  EXPECT_EQ(outcome.status("Wrong.UsesMemoryItHasFreed"), "");
  EXPECT_TRUE(has(outcome.output, "heap-use-after-free"));
}

TEST(ACrash, NamesItsLine) {
  const auto outcome = run_sample("Wrong.WritesToNowhere");
  EXPECT_EQ(outcome.status("Wrong.WritesToNowhere"), "");
  EXPECT_FALSE(outcome.done());
  const auto place = place_of("samples_wrong.cpp", "crashes");
  if (flavour() == Flavour::plain) {
    EXPECT_EQ(outcome.signal, SIGSEGV);
    EXPECT_TRUE(
        has(outcome.failures("Wrong.WritesToNowhere"), "invalid memory access at address 0"));
    EXPECT_TRUE(has(outcome.failures("Wrong.WritesToNowhere"), place));
  } else {
    EXPECT_TRUE(has(outcome.output, place));
  }
}

TEST(ACrash, ByAbortIsTold) {
  const auto outcome = run_sample("Wrong.Aborts");
  EXPECT_EQ(outcome.signal, SIGABRT);
  EXPECT_TRUE(has(outcome.failures("Wrong.Aborts"), "the program called abort()"));
}

TEST(ACrash, ByAnExceptionThatLeavesAThreadNamesWhoThrew) {
  const auto outcome = run_sample("Wrong.AnExceptionLeavesAThread");
  EXPECT_EQ(outcome.signal, SIGABRT);
  const auto text = outcome.failures("Wrong.AnExceptionLeavesAThread");
  EXPECT_TRUE(has(text, "an exception left a thread, which ends the program: out of luck"));
  EXPECT_TRUE(has(text, place_of("samples_wrong.cpp", "throws")));
}

TEST(ACrash, ByARecursionThatGoesTooDeepSaysSo) {
  const auto outcome = run_sample("Wrong.RecursesTooDeep");
  EXPECT_EQ(outcome.status("Wrong.RecursesTooDeep"), "");
  if (flavour() != Flavour::plain) return;
  EXPECT_TRUE(has(outcome.failures("Wrong.RecursesTooDeep"), "the stack overflowed"));
  EXPECT_TRUE(
      has(outcome.failures("Wrong.RecursesTooDeep"), place_of("samples_wrong.cpp", "recursion")));
}

TEST(AProperty, ThatFailsShowsTheSmallestCounterexample) {
  const auto text = failures_of("Property.FailsByReturning");
  EXPECT_TRUE(has(text, "this does not hold: all numbers are small"));
  EXPECT_TRUE(has(text, "\n  (17)\n"));
  EXPECT_TRUE(has(text, "the same inputs again: RC_PARAMS=\"seed="));
}

TEST(AProperty, ThatFailsByExpectingShowsTheExpectationOnce) {
  const auto text = failures_of("Property.FailsByExpecting");
  EXPECT_TRUE(has(text, "actual: 5 vs 5"));
  EXPECT_TRUE(has(text, "too long"));
  EXPECT_TRUE(has(text, "1. a list of 5"));
  EXPECT_FALSE(has(text, "6 vs 5")) << "only the smallest";
}

TEST(AProperty, ThatThrowsHasFailed) {
  EXPECT_TRUE(has(failures_of("Property.FailsByThrowing"), "out of luck"));
}

TEST(AProperty, ThatRejectsItsInputsProvesNothing) {
  EXPECT_TRUE(has(failures_of("Property.RejectsAllInputs"), "too few inputs"));
}

TEST(AProperty, FailsTheSameWayAgain) {
  const std::string name = "Property.FailsByThrowing";
  const auto text = failures_of(name);
  EXPECT_EQ(failures_of(name), text);
  const auto at = text.find("seed=");
  ASSERT_NE(at, std::string::npos);
  const auto params = text.substr(at, text.find('"', at) - at);
  EXPECT_EQ(failures_of(name, {.environment = {{"RC_PARAMS", params}}}), text);
}

TEST(AProperty, TakesItsInputsFromTheSeed) {
  const auto seed = [](const std::string& number) {
    const auto text =
        failures_of("Property.FailsByReturning", {.environment = {{"WORKBOOK_SEED", number}}});
    return text.substr(text.find("seed="));
  };
  EXPECT_NE(seed("1"), seed("2"));
}

}  // namespace
