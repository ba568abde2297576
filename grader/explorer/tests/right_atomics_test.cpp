// Right code around atomics and polling, however odd: the explorer must accept it.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <iostream>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "explored_body.hpp"

namespace explorer {
namespace {

using namespace std::chrono_literals;
using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;
using std::memory_order_seq_cst;

TEST(RightAtomics, FencesOrderRelaxedAtomics) {
  EXPECT_TRUE(passes([] {
    int data = 0;
    std::atomic<int> flag{0};
    std::jthread writer([&] {
      data = 1;
      std::atomic_thread_fence(memory_order_release);
      flag.store(1, memory_order_relaxed);
    });
    if (flag.load(memory_order_relaxed)) {
      std::atomic_thread_fence(memory_order_acquire);
      CHECK(data == 1);
    }
  }));
}

TEST(RightAtomics, SequentialFencesForbidStoreBuffering) {
  EXPECT_TRUE(passes([] {
    std::atomic<int> x{0}, y{0};
    int seen_x = 0, seen_y = 0;
    std::thread a([&] {
      x.store(1, memory_order_relaxed);
      std::atomic_thread_fence(memory_order_seq_cst);
      seen_y = y.load(memory_order_relaxed);
    });
    std::thread b([&] {
      y.store(1, memory_order_relaxed);
      std::atomic_thread_fence(memory_order_seq_cst);
      seen_x = x.load(memory_order_relaxed);
    });
    a.join();
    b.join();
    CHECK(seen_x || seen_y);
  }));
}

TEST(RightAtomics, AFenceAgainstASequentialStore) {
  EXPECT_TRUE(passes([] {
    std::atomic<int> x{0}, y{0};
    int seen_x = 0, seen_y = 0;
    std::thread a([&] {
      x.store(1, memory_order_seq_cst);
      seen_y = y.load(memory_order_seq_cst);
    });
    std::thread b([&] {
      y.store(1, memory_order_relaxed);
      std::atomic_thread_fence(memory_order_seq_cst);
      seen_x = x.load(memory_order_relaxed);
    });
    a.join();
    b.join();
    CHECK(seen_x || seen_y);
  }));
}

TEST(RightAtomics, IndependentReadsOfIndependentWrites) {
  EXPECT_TRUE(passes([] {
    std::atomic<int> x{0}, y{0};
    int a1 = 0, a2 = 0, b1 = 0, b2 = 0;
    std::thread wx([&] { x.store(1); }), wy([&] { y.store(1); });
    std::thread ra([&] {
      a1 = x.load();
      a2 = y.load();
    });
    std::thread rb([&] {
      b1 = y.load();
      b2 = x.load();
    });
    for (auto* thread : {&wx, &wy, &ra, &rb}) thread->join();
    CHECK(!(a1 == 1 && a2 == 0 && b1 == 1 && b2 == 0));
  }));
}

TEST(RightAtomics, ReadsOfOneAtomicAreCoherentAcrossThreads) {
  EXPECT_TRUE(passes([] {
    std::atomic<int> x{0}, handed{-1};
    std::jthread writer([&] {
      x.store(1, memory_order_relaxed);
      x.store(2, memory_order_relaxed);
    });
    std::jthread reader([&] { handed.store(x.load(memory_order_relaxed), memory_order_release); });
    int seen = handed.load(memory_order_acquire);
    if (seen >= 0) CHECK(x.load(memory_order_relaxed) >= seen);
  }));
}

TEST(RightAtomics, AReleaseSequenceContinuesThroughReadModifyWrites) {
  EXPECT_TRUE(passes([] {
    int data = 0;
    std::atomic<int> state{0};
    std::jthread producer([&] {
      data = 1;
      state.store(1, memory_order_release);
    });
    std::jthread bumper([&] {
      int one = 1;
      state.compare_exchange_strong(one, 2, memory_order_relaxed);
    });
    if (state.load(memory_order_acquire) == 2) CHECK(data == 1);
  }));
}

TEST(RightAtomics, ASpinlockOfAFlag) {
  EXPECT_TRUE(passes([] {
    std::atomic_flag locked;
    int value = 0;
    auto work = [&] {
      while (locked.test_and_set(memory_order_acquire)) {
      }
      ++value;
      locked.clear(memory_order_release);
    };
    std::jthread a(work), b(work);
    work();
  }));
}

TEST(RightAtomics, SpinningWithAndWithoutYield) {
  EXPECT_TRUE(passes([] {
    std::atomic<int> turn{0};
    std::thread other([&] {
      while (turn.load() != 1) std::this_thread::yield();
      turn = 2;
      while (turn.load() != 3) {
      }
      turn = 4;
    });
    auto deadline = std::chrono::steady_clock::now() + 3ms;
    while (std::chrono::steady_clock::now() < deadline) {
    }
    turn = 1;
    while (turn.load(memory_order_relaxed) != 2) {
    }
    turn = 3;
    other.join();
    CHECK(turn == 4);
  }));
}

TEST(RightAtomics, PollingASleepersFlag) {
  EXPECT_TRUE(passes([] {
    std::mutex mutex;
    bool done = false;
    std::jthread sleeper([&] {
      std::this_thread::sleep_for(20s);
      std::lock_guard lock(mutex);
      done = true;
    });
    for (;;) {
      {
        std::lock_guard lock(mutex);
        if (done) break;
      }
      std::this_thread::yield();
    }
  }));
}

TEST(RightAtomics, PollingASleepersFlagWithoutAnyPause) {
  EXPECT_TRUE(passes([] {
    std::mutex mutex;
    bool done = false;
    std::jthread sleeper([&] {
      std::this_thread::sleep_for(2s);
      std::lock_guard lock(mutex);
      done = true;
    });
    std::atomic<int> looks{0};
    for (bool seen = false; !seen;) {
      ++looks;
      std::lock_guard lock(mutex);
      seen = done;
    }
  }));
}

TEST(RightAtomics, AVeryLongRunOfLocks) {
  EXPECT_TRUE(passes(
      [] {
        std::mutex mutex;
        int value = 0;
        std::jthread other([&] { std::lock_guard lock(mutex); });
        for (int i = 0; i < 26000; ++i) {
          std::lock_guard lock(mutex);
          ++value;
        }
        CHECK(value == 26000);
      },
      2));
}

TEST(RightAtomics, SpinningForAThreadThatWaitsForASleepersLock) {
  EXPECT_TRUE(passes([] {
    std::mutex mutex;
    std::atomic<bool> done{false};
    std::jthread sleeper([&] {
      std::lock_guard lock(mutex);
      std::this_thread::sleep_for(5s);
    });
    std::jthread second([&] {
      std::lock_guard lock(mutex);
      done = true;
    });
    while (!done) {
    }
  }));
}

TEST(RightAtomics, PetersonsLock) {
  EXPECT_TRUE(passes([] {
    std::atomic<bool> wants[2] = {false, false};
    std::atomic<int> turn{0};
    int value = 0;
    auto work = [&](int me) {
      wants[me] = true;
      turn = 1 - me;
      while (wants[1 - me] && turn == 1 - me) std::this_thread::yield();
      ++value;
      wants[me] = false;
    };
    std::thread a(work, 0), b(work, 1);
    a.join();
    b.join();
    CHECK(value == 2);
  }));
}

TEST(RightAtomics, ASeqlockOfRelaxedAtomics) {
  EXPECT_TRUE(passes([] {
    std::atomic<unsigned> sequence{0};
    std::atomic<int> a{0}, b{0};
    std::jthread writer([&] {
      sequence.store(1, memory_order_relaxed);
      std::atomic_thread_fence(memory_order_release);
      a.store(1, memory_order_relaxed);
      b.store(1, memory_order_relaxed);
      sequence.store(2, memory_order_release);
    });
    for (;;) {
      unsigned before = sequence.load(memory_order_acquire);
      int x = a.load(memory_order_relaxed), y = b.load(memory_order_relaxed);
      std::atomic_thread_fence(memory_order_acquire);
      if (before % 2 == 0 && sequence.load(memory_order_relaxed) == before) {
        CHECK(x == y);
        break;
      }
      std::this_thread::yield();
    }
  }));
}

TEST(RightAtomics, AtomicRefAndWideAtomics) {
  EXPECT_TRUE(passes([] {
    int plain = 0;
    struct Pair {
      int a, b;
      bool operator==(const Pair&) const = default;
    };
    std::atomic<Pair> pair{Pair{0, 0}};
    std::atomic<double> sum{0};
    auto work = [&] {
      std::atomic_ref(plain).fetch_add(1);
      Pair old = pair.load();
      while (!pair.compare_exchange_weak(old, {old.a + 1, old.b + 1})) {
      }
      sum += 0.5;
    };
    std::thread a(work), b(work);
    a.join();
    b.join();
    CHECK(plain == 2 && pair.load() == (Pair{2, 2}) && sum == 1.0);
  }));
}

TEST(RightAtomics, AQueueOfIndicesWithoutLocks) {
  EXPECT_TRUE(passes([] {
    // A bounded queue after Vyukov: one sequence number per cell.
    struct Cell {
      std::atomic<unsigned> sequence;
      int value;
    };
    Cell cells[2];
    cells[0].sequence.store(0, memory_order_relaxed);
    cells[1].sequence.store(1, memory_order_relaxed);
    std::atomic<unsigned> head{0}, tail{0};
    auto push = [&](int value) {
      for (unsigned at = tail.load(memory_order_relaxed);;) {
        Cell& cell = cells[at % 2];
        if (cell.sequence.load(memory_order_acquire) != at) return false;
        if (!tail.compare_exchange_weak(at, at + 1, memory_order_relaxed)) continue;
        cell.value = value;
        cell.sequence.store(at + 1, memory_order_release);
        return true;
      }
    };
    auto pop = [&]() -> std::optional<int> {
      for (unsigned at = head.load(memory_order_relaxed);;) {
        Cell& cell = cells[at % 2];
        if (cell.sequence.load(memory_order_acquire) != at + 1) return std::nullopt;
        if (!head.compare_exchange_weak(at, at + 1, memory_order_relaxed)) continue;
        int value = cell.value;
        cell.sequence.store(at + 2, memory_order_release);
        return value;
      }
    };
    std::atomic<int> pushed{0}, popped{0};
    std::jthread producer([&] { pushed += push(1) ? 1 : 0; });
    std::jthread consumer([&] {
      if (auto value = pop()) CHECK(*value == 1), ++popped;
    });
    consumer.join();
    producer.join();
    CHECK(popped <= pushed);
  }));
}

}  // namespace
}  // namespace explorer
