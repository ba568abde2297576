// Whoever tries to look passed is not believed.
#include <csignal>

#include "testing/tests/verdicts.hpp"

namespace {

using namespace workbook::test;

TEST(Forgery, FindsNeitherChannelNorNonce) {
  const auto outcome =
      run_sample("Hostile.FindsNoNonce", {.environment = {{"SAMPLE_BEFORE_MAIN", "search"}}});
  EXPECT_EQ(outcome.status("Hostile.FindsNoNonce"), "passed")
      << outcome.failures("Hostile.FindsNoNonce");
}

TEST(Forgery, WithoutTheNonceDoesNotCount) {
  const auto outcome = run_sample("Hostile.ForgesAVerdict");
  EXPECT_EQ(outcome.exit_status, 0);
  EXPECT_EQ(outcome.of("start", "Hostile.ForgesAVerdict").size(), 1u);
  EXPECT_EQ(outcome.status("Hostile.ForgesAVerdict"), "");
  EXPECT_EQ(outcome.status("Hostile.Forged"), "");
  EXPECT_EQ(outcome.other_lines.size(), 2u) << "they arrive, and are recognised as forged";
  EXPECT_FALSE(outcome.done());
}

TEST(Leaving, BeforeMainLeavesNoEvents) {
  const auto outcome =
      run_sample("Right.Passes", {.environment = {{"SAMPLE_BEFORE_MAIN", "exit"}}});
  EXPECT_EQ(outcome.exit_status, 0);
  EXPECT_TRUE(outcome.events.empty());
}

TEST(Leaving, InTheMiddleOfATestLeavesItWithoutAnEnd) {
  for (const std::string name : {"Hostile.Exits", "Hostile.ExitsAtOnce", "Hostile.KillsItself"}) {
    const auto outcome = run_sample(name);
    EXPECT_EQ(outcome.of("start", name).size(), 1u) << name;
    EXPECT_EQ(outcome.status(name), "") << name;
    EXPECT_FALSE(outcome.done()) << name;
  }
}

TEST(TheChannel, SurvivesATestThatClosesEverythingLow) {
  const auto outcome = run_sample("Hostile.ClosesWhatItDidNotOpen");
  EXPECT_EQ(outcome.status("Hostile.ClosesWhatItDidNotOpen"), "passed");
  EXPECT_TRUE(outcome.done());
}

TEST(TheChannel, IsNotForChildren) {
  const std::string name = "Hostile.AChildGoesOnAsIfItWereTheTest";
  const auto outcome = run_sample(name);
  EXPECT_EQ(outcome.status(name), "passed");
  EXPECT_EQ(outcome.of("failure", name).size(), 0u);
  EXPECT_TRUE(outcome.done());
}

TEST(TheChannel, IsNotInherited) {
  const auto outcome = run_sample("Hostile.AProgramInheritsNothing");
  EXPECT_EQ(outcome.status("Hostile.AProgramInheritsNothing"), "passed")
      << outcome.failures("Hostile.AProgramInheritsNothing");
}

TEST(TheEnd, OfAProgramThatWontEndIsWatchedToo) {
  const auto outcome = run_sample("Hostile.NeverLetsTheProgramEnd");
  EXPECT_TRUE(outcome.done());
  EXPECT_EQ(outcome.exit_status, 86);
  EXPECT_EQ(outcome.of("hang")[0].at("test"), "the end of the program");
}

}  // namespace
