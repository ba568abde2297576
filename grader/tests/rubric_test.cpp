#include "rubric.hpp"

#include <gtest/gtest.h>

namespace grader {
namespace {

Evidence passing() {
  Evidence evidence;
  evidence.standing = Standing::passed;
  evidence.own_test = OwnTest::not_written;
  return evidence;
}

TEST(Rubric, WhatDoesNotPassIsWorthNothingAndSaysWhy) {
  for (const auto standing : {Standing::missing, Standing::not_started, Standing::not_built,
                              Standing::refused, Standing::failed, Standing::tampered}) {
    Evidence evidence;
    evidence.standing = standing;
    evidence.own_test = OwnTest::qualified;  // never helps
    EXPECT_EQ(score(evidence).points, 0);
    EXPECT_TRUE(score(evidence).settled);
    EXPECT_FALSE(score(evidence).why.empty());
  }
}

TEST(Rubric, ABusyMachineIsNoFail) {
  Evidence evidence;
  evidence.standing = Standing::inconclusive;
  EXPECT_EQ(score(evidence).points, 0);
  EXPECT_FALSE(score(evidence).settled);
}

TEST(Rubric, PassingUnaidedIsTwo) { EXPECT_EQ(score(passing()).points, 2); }

TEST(Rubric, PassingWithAHintOrTheReferenceOpenedFirstIsOne) {
  auto hinted = passing();
  hinted.hint_first = true;
  EXPECT_EQ(score(hinted).points, 1);
  auto read = passing();
  read.reference_first = read.reference_opened = true;
  EXPECT_EQ(score(read).points, 1);
}

TEST(Rubric, ACopyIsOneWhateverItsTestDoes) {
  auto copy = passing();
  copy.copied = true;
  copy.own_test = OwnTest::qualified;
  EXPECT_EQ(score(copy).points, 1);
}

TEST(Rubric, AQualifyingTestIsThreeAlsoAfterAHint) {
  auto tested = passing();
  tested.own_test = OwnTest::qualified;
  EXPECT_EQ(score(tested).points, 3);
  tested.hint_first = true;
  EXPECT_EQ(score(tested).points, 3);
}

TEST(Rubric, TheReferenceOpenedBeforeTheTestQualifiedRulesOutThree) {
  auto tested = passing();
  tested.own_test = OwnTest::qualified;
  tested.reference_opened = true;
  EXPECT_EQ(score(tested).points, 2) << "it passed before the reference was opened";
  tested.reference_first = true;
  EXPECT_EQ(score(tested).points, 1);
}

TEST(Rubric, WhatQualifiedBeforeTheReferenceWasOpenedStaysThree) {
  auto tested = passing();
  tested.own_test = OwnTest::qualified;
  tested.reference_opened = true;
  tested.qualified_before_reference = true;
  EXPECT_EQ(score(tested).points, 3);
}

TEST(Rubric, APassWithNoVerdictOnItsTestIsALowerBound) {
  auto unclear = passing();
  unclear.own_test = OwnTest::inconclusive;
  EXPECT_EQ(score(unclear).points, 2);
  EXPECT_FALSE(score(unclear).settled);
}

TEST(Bands, AreThoseOfTheWholeWorkbook) {
  const int limits[][2] = {{0, 15}, {16, 25}, {26, 35}, {36, 45}};
  for (const auto& [from, to] : limits) {
    for (const int total : {from, to}) {
      EXPECT_EQ(band(total, 45).from, from);
      EXPECT_EQ(band(total, 45).to, to);
    }
  }
}

TEST(Bands, ScaleWithTheTasksThatAreThere) {
  EXPECT_EQ(band(0, 18).to, 6);
  EXPECT_EQ(band(7, 18).from, 7);
  EXPECT_EQ(band(18, 18).to, 18);
  EXPECT_EQ(band(18, 18).from, 15);
  EXPECT_EQ(band(3, 3).to, 3);
}

}  // namespace
}  // namespace grader
