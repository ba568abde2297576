// Tests that are right, however odd: the kit must let all of them pass, on a busy machine too.
#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <mutex>
#include <spawn.h>
#include <sys/wait.h>
#include <thread>
#include <vector>

#include "runtime/spawn.hpp"
#include "testing/kit.hpp"

extern char** environ;

namespace {

using namespace std::chrono_literals;
using workbook::Gate;

// Uses the processor, not the clock: the same work on an idle and on a busy machine.
void compute(std::chrono::nanoseconds amount) {
  const auto used = [] {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  };
  const auto end = used() + amount;
  while (used() < end) {
  }
}

TEST(Right, Passes) { EXPECT_EQ(2 + 2, 4); }

TEST(Right, IsSkipped) { GTEST_SKIP() << "not here"; }

TEST(Right, SleepsForFiveSeconds) { std::this_thread::sleep_for(5s); }

TEST(Right, AThreadEndsLate) {
  futures::spawn([] { std::this_thread::sleep_for(2500ms); });
}

TEST(Right, ThousandsOfThreadsEndAfterTheTest) {
  for (std::size_t i = 0; i < workbook::rounds(3000); ++i) {
    futures::spawn([] { std::this_thread::sleep_for(1ms); });
  }
}

TEST(Right, ComputesForLong) { compute(2s); }

TEST(Right, ComputesOnEightThreads) {
  workbook::stress(8, 1, [](std::size_t, std::size_t) { compute(200ms); });
}

TEST(Right, WaitsForAChildProcess) {
  char sleep[] = "sleep";
  char seconds[] = "6";
  char* arguments[] = {sleep, seconds, nullptr};
  pid_t child = 0;
  ASSERT_EQ(::posix_spawnp(&child, sleep, nullptr, nullptr, arguments, environ), 0);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(Right, ATimerWakesWhoPollsAfterSevenSeconds) {
  std::atomic<bool> rung{false};
  std::jthread timer([&] {
    std::this_thread::sleep_for(7s);
    rung = true;
  });
  EXPECT_TRUE(workbook::eventually([&] { return rung.load(); }));
}

TEST(Right, ATimerOpensTheGateAfterSevenSeconds) {
  Gate gate;
  std::jthread timer([&] {
    std::this_thread::sleep_for(7s);
    gate.open();
  });
  EXPECT_TRUE(gate.wait_for());
}

TEST(Right, WaitsForAThreadThatComputes) {
  Gate gate;
  std::jthread worker([&] {
    compute(1s);
    gate.open();
  });
  gate.wait();
}

TEST(Right, AThousandThreadsAtOnce) {
  std::atomic<std::size_t> runs{0};
  const auto threads = workbook::crowd(1000);
  workbook::stress(threads, 3, [&](std::size_t, std::size_t) { ++runs; });
  EXPECT_EQ(runs, 3 * threads);
}

TEST(Right, CountsItsRounds) {
  workbook::stress(2, 12, [](std::size_t, std::size_t) {});
}

TEST(Right, SaysWhatItObserved) {
  workbook::observed("when does the producer end", "when its function \"returns\"");
}

TEST(Right, KeepsMemoryReachable) {
  static const auto* kept = new std::vector<int>(1000);
  EXPECT_EQ(kept->size(), 1000u);
}

}  // namespace
