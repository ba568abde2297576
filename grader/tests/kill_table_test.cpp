#include "kill_table.hpp"

#include <gtest/gtest.h>

namespace grader {
namespace {

TEST(KillTable, TheIntervalIsWilsons) {
  const auto all = wilson({.runs = 20, .rejected = 20});
  EXPECT_NEAR(all.low, 0.8389, 1e-4);
  EXPECT_NEAR(all.high, 1, 1e-12);
  const auto none = wilson({.runs = 200, .rejected = 0});
  EXPECT_NEAR(none.low, 0, 1e-12);
  EXPECT_NEAR(none.high, 0.0188, 1e-4);
  EXPECT_DOUBLE_EQ(wilson({}).high, 1);
}

TEST(KillTable, ARightVersionMustNeverBeRejectedAndAWrongOneAlways) {
  VersionCounts right;
  right.right = true;
  EXPECT_FALSE(right.as_it_should_be()) << "nothing was run";
  right.graded = {.runs = 20, .rejected = 0};
  EXPECT_TRUE(right.as_it_should_be());
  right.by_flavour[1] = {.runs = 20, .rejected = 1};
  EXPECT_FALSE(right.as_it_should_be());

  VersionCounts wrong;
  wrong.graded = {.runs = 20, .rejected = 19};
  EXPECT_FALSE(wrong.as_it_should_be());
  wrong.graded.rejected = 20;
  EXPECT_TRUE(wrong.as_it_should_be());
  wrong.trouble = "does not build";
  EXPECT_FALSE(wrong.as_it_should_be());
}

TEST(KillTable, PointsAtWhatIsWrong) {
  VersionCounts survivor;
  survivor.name = "earlier/lost_wakeup";
  survivor.graded = {.runs = 20, .rejected = 3};
  const auto text = kill_table({survivor});
  EXPECT_NE(text.find("lost_wakeup"), std::string::npos);
  EXPECT_NE(text.find("3/20"), std::string::npos);
  EXPECT_NE(text.find("WRONG"), std::string::npos);
}

TEST(KillTable, OneThatWasNotMetIsNeitherRightNorWrong) {
  VersionCounts version;
  EXPECT_TRUE(version.unmet());
  EXPECT_FALSE(version.as_it_should_be());
  EXPECT_EQ(kill_table({version}).find("WRONG"), std::string::npos);
  version.inconclusive = 1;
  EXPECT_FALSE(version.unmet()) << "it was run, and nobody knows what it is";
  EXPECT_NE(kill_table({version}).find("WRONG"), std::string::npos);
  version = {};
  version.trouble = "does not build";
  EXPECT_FALSE(version.unmet());
}

TEST(Scorecard, CountsWrongVerdictsOnBothSides) {
  VersionCounts right;
  right.right = true;
  right.by_load = {Count{.runs = 10, .rejected = 1}, Count{.runs = 10, .rejected = 0}};
  VersionCounts flawed;
  flawed.by_load = {Count{.runs = 8, .rejected = 6}, Count{}};
  flawed.unclear_by_load = {0, 3};
  VersionCounts not_met;  // the run was interrupted before
  not_met.right = true;
  const auto text = scorecard({right, not_met, flawed});
  EXPECT_NE(text.find("| 1 right | idle | 10 | 1 rejected |"), std::string::npos) << text;
  EXPECT_NE(text.find("| 1 right | every core busy | 10 | 0 rejected |"), std::string::npos)
      << text;
  EXPECT_NE(text.find("| 1 flawed | idle | 8 | 2 passed |"), std::string::npos) << text;
  EXPECT_NE(text.find("| 1 flawed | every core busy | 0 | 0 passed |"), std::string::npos)
      << "runs without a verdict are told, too: " << text;
}

}  // namespace
}  // namespace grader
