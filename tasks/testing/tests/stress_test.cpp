#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <sched.h>
#include <string>
#include <utility>
#include <vector>

#include "testing/kit.hpp"

namespace {

TEST(AStress, CallsItsBodyOncePerThreadAndRound) {
  std::mutex mutex;
  std::map<std::pair<std::size_t, std::size_t>, int> calls;
  workbook::stress(5, 20, [&](std::size_t thread, std::size_t round) {
    const std::lock_guard lock(mutex);
    ++calls[{thread, round}];
  });
  EXPECT_EQ(calls.size(), 100u);
  EXPECT_TRUE(std::ranges::all_of(calls, [](const auto& call) { return call.second == 1; }));
}

TEST(AStress, EndsARoundBeforeTheNext) {
  std::array<std::atomic<int>, 50> finished{};
  workbook::stress(4, finished.size(), [&](std::size_t, std::size_t round) {
    if (round > 0) EXPECT_EQ(finished[round - 1], 4);
    if (round + 1 < finished.size()) EXPECT_EQ(finished[round + 1], 0);
    ++finished[round];
  });
}

TEST(AStress, HasAllThreadsThereAtOnce) {
  std::array<std::atomic<int>, 20> arrived{};
  workbook::stress(8, arrived.size(), [&](std::size_t, std::size_t round) {
    ++arrived[round];
    EXPECT_TRUE(workbook::eventually([&] { return arrived[round] == 8; }));
  });
}

TEST(AStress, MakesAFreshStateForEachRound) {
  struct State {
    explicit State(int n) : number(n) {}
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    int number;
    std::atomic<int> visits{0};
  };
  int made = 0;
  int checked = 0;
  workbook::stress_on(
      3, 10, [&] { return State(made++); }, [](State& state, std::size_t) { ++state.visits; },
      [&](State& state) {
        EXPECT_EQ(state.number, checked++);
        EXPECT_EQ(state.visits, 3);
      });
  EXPECT_EQ(made, 10);
  EXPECT_EQ(checked, 10);
}

TEST(AStress, CountsItsRounds) {
  workbook::report::stress_rounds = 0;
  workbook::stress(2, 7, [](std::size_t, std::size_t) {});
  EXPECT_EQ(workbook::report::stress_rounds.exchange(0), 7);
}

TEST(AStress, MayHaveNoThreadsOrNoRounds) {
  workbook::stress(0, 3, [](std::size_t, std::size_t) { FAIL(); });
  workbook::stress(3, 0, [](std::size_t, std::size_t) { FAIL(); });
}

TEST(AStress, ShowsThatThreadsReallyMeet) {
  if (workbook::flavour() == workbook::Flavour::address) GTEST_SKIP() << "shown in the others";
  std::atomic<int> lost{0};
  for (const std::size_t threads : {2u, 8u, 100u}) {
    lost = 0;
    const std::size_t rounds = threads == 100 ? 200 : 2000;  // a busy machine is slow
    workbook::stress_on(
        threads, rounds, [] { return std::atomic<std::size_t>(0); },
        [&](std::atomic<std::size_t>& sum, std::size_t) {
          if (lost > 0) return;
          const auto before = sum.load(std::memory_order_relaxed);
          for (volatile int i = 20; i > 0;) i = i - 1;
          sum.store(before + 1, std::memory_order_relaxed);
        },
        [&](std::atomic<std::size_t>& sum) {
          if (sum.load() != threads && sum.load() != 0) ++lost;
        });
    EXPECT_GT(lost, 0) << threads << " threads lost no update";
  }
}

TEST(AStress, LetsItsThreadsUseAllProcessors) {
  cpu_set_t here;
  ASSERT_EQ(::sched_getaffinity(0, sizeof here, &here), 0);
  workbook::stress(4, 3, [&](std::size_t, std::size_t) {
    cpu_set_t mine;
    ASSERT_EQ(::sched_getaffinity(0, sizeof mine, &mine), 0);
    EXPECT_TRUE(CPU_EQUAL(&mine, &here));
  });
}

TEST(AStress, KnowsWhereItIs) {
  EXPECT_EQ(workbook::report::place(), "");
  workbook::stress(3, 2, [](std::size_t thread, std::size_t round) {
    EXPECT_EQ(workbook::report::place(), "in round " + std::to_string(round) + " of 2, on thread " +
                                             std::to_string(thread) + " of 3 (counting from 0)");
  });
  EXPECT_EQ(workbook::report::place(), "");
}

}  // namespace
