// The odds of the third point, measured with coins. GRADING.md quotes these.
#include "trial.hpp"

#include <gtest/gtest.h>

namespace grader {
namespace {

using End = Played::End;
using Verdict = TrialResult::Verdict;

constexpr std::size_t kRights = 4;
constexpr std::size_t kSuspects = 8;

// How a test fails: on right versions, on wrong ones that it can't tell apart, and on the last
// `breakable` suspects.
struct Coin {
  double on_right = 0;
  double on_others = 0;
  double on_breakable = 0;
  std::size_t breakable = 1;
};

TrialResult toss(const Coin& coin, std::mt19937_64& chance) {
  std::uniform_real_distribution<> dice;
  const auto play = [&](double rate) {
    return Played{dice(chance) < rate ? End::broke : End::passed, "a coin"};
  };
  const Players players{
      .rights = kRights,
      .suspects = kSuspects,
      .play_right = [&](std::size_t, std::size_t) { return play(coin.on_right); },
      .play_suspect =
          [&](std::size_t suspect) {
            return play(suspect + coin.breakable < kSuspects ? coin.on_others : coin.on_breakable);
          }};
  return try_test(players, chance);
}

double share(const Coin& coin, Verdict verdict, int trials) {
  std::mt19937_64 chance(7);
  int count = 0;
  for (int i = 0; i < trials; ++i) count += toss(coin, chance).verdict == verdict ? 1 : 0;
  return count / static_cast<double>(trials);
}

TEST(Odds, AKillEveryTimeIsAlwaysEnough) {
  EXPECT_EQ(share({.on_breakable = 1}, Verdict::tells_apart, 500), 1);
}

TEST(Odds, AKillInThreeOfTenRunsIsNearlyAlwaysEnough) {
  EXPECT_GT(share({.on_breakable = 0.3}, Verdict::tells_apart, 3000), 0.99);
  EXPECT_GT(share({.on_breakable = 0.3, .breakable = 3}, Verdict::tells_apart, 3000), 0.999);
}

TEST(Odds, ATestThatFailsAtRandomNeverGetsThrough) {
  for (const double rate : {0.01, 0.02, 0.05, 0.1, 0.3, 0.5, 0.9}) {
    const Coin coin{.on_right = rate, .on_others = rate, .on_breakable = rate};
    EXPECT_EQ(share(coin, Verdict::tells_apart, 3000), 0) << "failing at a rate of " << rate;
  }
}

TEST(Odds, ATestThatFailsAtRandomIsToldSo) {
  const Coin coin{.on_right = 0.05, .on_others = 0.05, .on_breakable = 0.05};
  EXPECT_GT(share(coin, Verdict::breaks_right, 2000), 0.99);
}

TEST(Odds, ATestThatNeverFailsBreaksNothing) {
  EXPECT_EQ(share({}, Verdict::breaks_nothing, 100), 1);
}

TEST(Odds, ChanceOfLuckIsFishersExactTest) {
  EXPECT_DOUBLE_EQ(chance_of_luck({.runs = 2, .broken = 2}, 2), 1.0 / 6);
  EXPECT_DOUBLE_EQ(chance_of_luck({.runs = 8, .broken = 0}, 16), 1);
  EXPECT_LT(chance_of_luck({.runs = 8, .broken = 8}, 16), luck_limit);
}

TEST(Trial, WhatBreaksAtOnceIsPreferredToWhatTakesLong) {
  std::mt19937_64 chance(1);
  int slow_runs = 0;
  Players players{.rights = 1,
                  .suspects = 6,
                  .play_right = [](std::size_t, std::size_t) { return Played{}; },
                  .play_suspect =
                      [&](std::size_t suspect) {
                        slow_runs += suspect == 0 ? 1 : 0;
                        if (suspect == 0) return Played{End::broke, "a hang", true};
                        return suspect == 5 ? Played{End::broke, "a crash"} : Played{};
                      }};
  EXPECT_EQ(try_test(players, chance).version, 5U);
  EXPECT_EQ(slow_runs, 1);
  players.suspects = 5;  // nothing else breaks: then it counts, too
  const auto result = try_test(players, chance);
  EXPECT_EQ(result.verdict, Verdict::tells_apart);
  EXPECT_EQ(result.version, 0U);
}

TEST(Trial, SuspectsThatDoNotCountAreLeftAlone) {
  std::mt19937_64 chance(1);
  std::size_t prepared = 0;
  const Players players{.rights = 1,
                        .suspects = 3,
                        .play_right = [](std::size_t, std::size_t) { return Played{}; },
                        .play_suspect = [](std::size_t) { return Played{End::broke, "always"}; },
                        .prepare = [&](std::size_t, std::size_t to) { prepared = to; },
                        .counts = [](std::size_t suspect) { return suspect == 2; }};
  const auto result = try_test(players, chance);
  EXPECT_EQ(result.verdict, Verdict::tells_apart);
  EXPECT_EQ(result.version, 2U);
  EXPECT_EQ(result.how, "always");
  EXPECT_EQ(prepared, 3U);
}

TEST(Trial, OutOfTimeIsNoVerdict) {
  std::mt19937_64 chance(1);
  int runs = 0;
  const Players players{.rights = 1,
                        .suspects = 1,
                        .play_right = [&](std::size_t, std::size_t) { return ++runs, Played{}; },
                        .play_suspect = [&](std::size_t) { return ++runs, Played{}; },
                        .out_of_time = [&] { return runs > 5; }};
  EXPECT_EQ(try_test(players, chance).verdict, Verdict::unclear);
}

TEST(Trial, AMachineThatStumblesOnceIsForgivenAndThriceIsNot) {
  std::mt19937_64 chance(1);
  int runs = 0;
  Players players{
      .rights = 1,
      .suspects = 1,
      .play_right = [](std::size_t, std::size_t) { return Played{}; },
      .play_suspect =
          [&](std::size_t) { return Played{++runs == 3 ? End::unclear : End::broke, "x"}; }};
  EXPECT_EQ(try_test(players, chance).verdict, Verdict::tells_apart);
  players.play_suspect = [](std::size_t) { return Played{End::unclear, "no memory"}; };
  players.play_right = [](std::size_t, std::size_t) { return Played{End::unclear, "no memory"}; };
  const auto result = try_test(players, chance);
  EXPECT_EQ(result.verdict, Verdict::unclear);
  EXPECT_EQ(result.how, "no memory");
}

}  // namespace
}  // namespace grader
