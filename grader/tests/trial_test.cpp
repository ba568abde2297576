// The odds of the third point, computed and measured with coins. GRADING.md quotes these.
#include "trial.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <gtest/gtest.h>
#include <utility>
#include <vector>

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

// The chance that a version which breaks with probability `on_suspect` in a run, on any of its
// copies, is believed to be broken, when right ones break with `on_right`: exactly, one run at a
// time.
double chance_of_belief(double on_suspect, double on_right) {
  constexpr std::size_t copies = 3;
  constexpr std::size_t every_copy = (1U << copies) - 1;
  // By number of failures, and by the set of copies that have failed: the chance to be undecided.
  std::vector<std::array<double, every_copy + 1>> broken(1);
  broken[0][0] = 1;
  double believed = 0;
  int runs = 0;
  for (const int look : looks) {
    for (; runs < look; ++runs) {
      const double rights_pass = (1 - on_right) * (1 - on_right);
      const auto copy = std::size_t{1} << static_cast<std::size_t>(runs) % copies;
      std::vector<std::array<double, every_copy + 1>> next(broken.size() + 1);
      for (std::size_t k = 0; k < broken.size(); ++k) {
        for (std::size_t failed = 0; failed <= every_copy; ++failed) {
          const double here = broken[k][failed] * rights_pass;
          next[k][failed] += here * (1 - on_suspect);
          next[k + 1][failed | copy] += here * on_suspect;
        }
      }
      broken = std::move(next);
    }
    for (std::size_t k = 0; k < broken.size(); ++k) {
      if (chance_of_luck({.runs = look, .broken = static_cast<int>(k)}, 2 * look) > luck_limit) {
        continue;
      }
      believed += std::exchange(broken[k][every_copy], 0);
    }
  }
  return believed;
}

TEST(Odds, AFalseAwardIsAsRareAsGradingMdSays) {
  double most = 0;
  for (int rate = 1; rate < 1000; ++rate) {
    most = std::max(most, chance_of_belief(rate / 1000.0, rate / 1000.0));
  }
  EXPECT_NEAR(most, 1.4e-6, 0.05e-6);
}

TEST(Odds, AFalseDenialIsAsRareAsGradingMdSays) {
  const auto denied = [](double rate) {
    const double unnoticed = std::pow(1 - rate, tries_per_version);
    return unnoticed + (1 - unnoticed) * (1 - chance_of_belief(rate, 0));
  };
  EXPECT_NEAR(denied(0.5), 15e-6, 0.5e-6);
  EXPECT_NEAR(denied(0.3), 37e-4, 0.5e-4);
  EXPECT_NEAR(denied(0.25), 16e-3, 0.5e-3);
  EXPECT_NEAR(denied(0.2), 0.087, 0.0005);
  EXPECT_NEAR(denied(0.15), 0.386, 0.0005);
  EXPECT_GT(denied(0.1), 0.5) << "mostly hears that this is too rare";
}

// A test that looks at what a compiler made of a version, where a version's builds look different:
// each build breaks, or never does, with a chance of `rate`. Before the runs that count, right
// versions are built once more, and the suspect three times.
double belief_in_one_that_looks_at_builds(double rate, int trials) {
  constexpr std::size_t rights = 3;
  constexpr std::size_t copies = 3;
  std::mt19937_64 chance(11);
  std::bernoulli_distribution coin(rate);
  const auto all = [&](std::size_t count) {
    std::vector<char> broken(count);
    for (char& one : broken) one = coin(chance) ? 1 : 0;
    return broken;
  };
  int believed = 0;
  for (int i = 0; i < trials; ++i) {
    std::vector<std::vector<char>> right_copies = {all(rights)};
    std::vector<std::size_t> right_turns(rights);
    const auto suspects = all(kSuspects);
    std::vector<char> fresh;
    std::size_t chosen = kSuspects;
    std::size_t turn = 0;
    std::vector<char> seen(copies);
    const auto end = [](bool broken) { return Played{broken ? End::broke : End::passed, "it"}; };
    const Players players{
        .rights = rights,
        .suspects = kSuspects,
        .play_right =
            [&](std::size_t number, std::size_t) {
              return end(right_copies[right_turns[number]++ % right_copies.size()][number] != 0);
            },
        .play_suspect =
            [&](std::size_t suspect) {
              if (suspect != chosen) return end(suspects[suspect] != 0);
              const auto copy = turn++ % copies;
              seen[copy] |= fresh[copy];
              return end(fresh[copy] != 0);
            },
        .counts =
            [&](std::size_t suspect) {
              chosen = suspect;
              fresh = all(copies);
              right_copies.push_back(all(rights));
              seen.assign(copies, 0);
              return true;
            },
        .each_build_broke = [&](std::size_t) { return std::ranges::count(seen, 0) == 0; }};
    believed += try_test(players, chance).verdict == Verdict::tells_apart ? 1 : 0;
  }
  return believed / static_cast<double>(trials);
}

TEST(Odds, ATestThatLooksAtBuildsIsBelievedAsRarelyAsGradingMdSays) {
  for (const double rate : {0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7}) {
    EXPECT_LT(belief_in_one_that_looks_at_builds(rate, 20'000), 0.006) << "a coin of " << rate;
  }
}

TEST(Odds, ChanceOfLuckIsFishersExactTest) {
  EXPECT_DOUBLE_EQ(chance_of_luck({.runs = 2, .broken = 2}, 2), 1.0 / 6);
  EXPECT_DOUBLE_EQ(chance_of_luck({.runs = 8, .broken = 0}, 16), 1);
  EXPECT_LT(chance_of_luck({.runs = 8, .broken = 8}, 16), luck_limit);
}

// The first suspect breaks slowly, the last one at once. Groups are of two.
void expect_first_of(std::size_t suspects, double seconds, bool slow_one_first) {
  std::mt19937_64 chance(1);
  int slow_runs = 0;
  const Players players{.rights = 1,
                        .suspects = suspects,
                        .play_right = [](std::size_t, std::size_t) { return Played{}; },
                        .play_suspect =
                            [&](std::size_t suspect) {
                              slow_runs += suspect == 0 ? 1 : 0;
                              if (suspect == 0) return Played{End::broke, "a hang", seconds};
                              return suspect + 1 == suspects ? Played{End::broke, "a crash"}
                                                             : Played{};
                            }};
  const auto result = try_test(players, chance);
  EXPECT_EQ(result.verdict, Verdict::tells_apart);
  EXPECT_EQ(result.version, slow_one_first ? 0 : suspects - 1);
  if (!slow_one_first) EXPECT_EQ(slow_runs, 1);
}

TEST(Trial, WhatBreaksAtOnceIsPreferredToWhatTakesLong) {
  expect_first_of(6, 2, false);
  expect_first_of(6, 100, false);
  expect_first_of(8, 2, true);  // three groups, two of them further ones, is as long as it waits
  expect_first_of(4, 0.9, true);
}

TEST(Trial, AVersionThatAloneBreaksCountsHoweverLongItTakes) {
  std::mt19937_64 chance(1);
  const Players players{.rights = 1,
                        .suspects = 5,
                        .play_right = [](std::size_t, std::size_t) { return Played{}; },
                        .play_suspect =
                            [](std::size_t suspect) {
                              return suspect == 0 ? Played{End::broke, "a hang", 100} : Played{};
                            }};
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
