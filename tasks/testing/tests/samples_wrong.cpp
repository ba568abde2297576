// Tests of code that is wrong in one way each. `// here:` marks the line that the kit has to name.
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>

#include "runtime/error.hpp"
#include "runtime/spawn.hpp"
#include "testing/kit.hpp"

namespace {

using namespace std::chrono_literals;
using workbook::Gate;
using workbook::History;

// Shared with threads that are left behind.
std::shared_ptr<Gate> never() { return std::make_shared<Gate>(); }

struct Unwritten {
  int value() { futures::not_implemented(); }
};

TEST(Wrong, Fails) { EXPECT_EQ(1 + 1, 3) << "so much for sums"; }

TEST(Wrong, FailsAThousandTimes) {
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(i, -1);
}

TEST(Wrong, FailsTheSameWayAThousandTimes) {
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(false);
}

TEST(Wrong, FailsWithBytesThatAreNoText) {
  FAIL() << "\xff\xfe \x01 \"quoted\" \\ \xed\xa0\x80 \u00fc";
}

TEST(Wrong, IsNotWritten) { EXPECT_EQ(Unwritten().value(), 1); }

TEST(Wrong, IsNotWrittenInAStress) {
  workbook::stress(8, 10, [](std::size_t, std::size_t) { Unwritten().value(); });
}

TEST(Wrong, IsNotWrittenInASpawnedFunction) {
  futures::spawn([] { Unwritten().value(); });
}

TEST(Wrong, Throws) { throw std::runtime_error("out of luck"); }

TEST(Wrong, ThrowsANumber) { throw 42; }

TEST(Wrong, AnExceptionLeavesASpawnedFunction) {
  futures::spawn([] { throw std::runtime_error("nobody listens"); });
}

TEST(Wrong, BlocksForEver) {
  auto gate = never();
  std::jthread other([gate] {
    gate->wait();  // here: other thread blocks
  });
  other.join();  // here: test blocks
}

TEST(Wrong, BlocksWithATimerFarAway) {
  auto gate = never();
  std::thread([] { std::this_thread::sleep_for(1h); }).detach();
  gate->wait();
}

TEST(Wrong, BlocksWithAHistory) {
  History history;
  history.add(1, "resolve(7) -> true");
  never()->wait();
}

TEST(Wrong, BlocksInAStress) {
  auto gate = never();
  workbook::stress(4, 10, [&](std::size_t thread, std::size_t round) {
    if (round == 3 && thread == 2) gate->wait();
  });
}

TEST(Wrong, WaitsForAFileThatNobodyWrites) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  char byte = 0;
  EXPECT_EQ(::read(ends[0], &byte, 1), 1);
}

TEST(Wrong, SpinsForEver) {
  std::atomic<bool> stop{false};
  while (!stop.load()) {  // here: spins
  }
}

TEST(Wrong, SpinsOnFourThreads) {
  std::atomic<bool> stop{false};
  workbook::stress(4, 1, [&](std::size_t, std::size_t) {
    while (!stop.load()) {
    }
  });
}

TEST(Wrong, PollsForEver) {
  std::atomic<bool> stop{false};
  while (!stop.load()) std::this_thread::sleep_for(1ms);
}

// Longer than any machine takes to see that waiting is in vain.
constexpr auto very_patient = 10min;

TEST(Wrong, NeverEventually) {
  EXPECT_TRUE(workbook::eventually([] { return false; }, very_patient))
      << "the message that explains it";
}

TEST(Wrong, NeverThroughTheGate) {
  auto gate = never();
  std::jthread other(
      [gate] { EXPECT_TRUE(gate->wait_for(very_patient)) << "the message that explains it"; });
}

TEST(Wrong, LeavesABlockedThread) {
  auto gate = never();
  std::thread([gate] {
    gate->wait();  // here: left behind
  }).detach();
}

TEST(Wrong, LeavesASleepingThread) {
  std::thread([] { std::this_thread::sleep_for(1h); }).detach();
}

TEST(Wrong, LeavesASpinningThread) {
  std::thread([] {
    static std::atomic<bool> stop{false};
    while (!stop.load()) {
    }
  }).detach();
}

TEST(Wrong, FailsInTheSeventeenthRound) {
  History history;
  workbook::stress(4, 50, [&](std::size_t thread, std::size_t round) {
    if (round == 17 && thread == 2) history.add(thread, "resolve(7) -> true");
    EXPECT_FALSE(round == 17 && thread == 2) << "two winners";
  });
}

TEST(Wrong, ThrowsInTheThirdRound) {
  workbook::stress(4, 50, [&](std::size_t thread, std::size_t round) {
    if (round == 3 && thread == 1) throw std::runtime_error("out of luck");
  });
}

TEST(Wrong, TheCheckAfterARoundFails) {
  workbook::stress_on(
      4, 50, [] { return std::atomic<int>(0); },
      [](std::atomic<int>& sum, std::size_t thread) { sum += static_cast<int>(thread); },
      [](std::atomic<int>& sum) { EXPECT_EQ(sum, 7); });
}

TEST(Wrong, LosesUpdates) {
  struct State {
    std::atomic<int> sum{0};
    History history;
  };
  workbook::stress_on(
      8, 2000, [] { return State(); },
      [](State& state, std::size_t thread) {
        const int before = state.sum.load(std::memory_order_relaxed);
        state.sum.store(before + 1, std::memory_order_relaxed);
        state.history.add(thread, "add to " + std::to_string(before));
      },
      [](State& state) { EXPECT_EQ(state.sum, 8); });
}

TEST(Wrong, Races) {
  struct State {
    int value = 0;
    History history;
  };
  workbook::stress_on(
      2, 200, [] { return State(); },
      [](State& state, std::size_t thread) {
        state.history.add(thread, "about to write");
        state.value = static_cast<int>(thread);
        state.history.add(thread, "written");
      },
      [](State&) {});
}

TEST(Wrong, NeedsMoreThreadsThanThereAre) {
  workbook::stress(1000, 1, [](std::size_t, std::size_t) {});
}

TEST(Wrong, LosesMemory) {
  auto* lost = new int[10];
  lost = nullptr;
  EXPECT_EQ(lost, nullptr);
}

TEST(Wrong, UsesMemoryItHasFreed) {
  auto value = std::make_unique<int>(1);
  const int* dangling = value.get();
  value.reset();
  EXPECT_EQ(*dangling, 1);
}

TEST(Wrong, WritesToNowhere) {
  volatile int* volatile nowhere = nullptr;
  *nowhere = 1;  // here: crashes
}

TEST(Wrong, Aborts) { std::abort(); }

TEST(Wrong, AnExceptionLeavesAThread) {
  std::thread([] {
    throw std::runtime_error("out of luck");  // here: throws
  }).join();
}

// NOLINTNEXTLINE(misc-no-recursion): that is the point
int deeper(int depth) {
  std::array<volatile char, 4096> frame{};
  frame[0] = static_cast<char>(depth);
  return depth < 0 ? 0 : deeper(depth + 1) + frame[0];  // here: recursion
}

TEST(Wrong, RecursesTooDeep) { EXPECT_EQ(deeper(0), 0); }

}  // namespace
