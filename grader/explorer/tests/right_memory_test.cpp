// Right code around memory and atomics, however odd: the explorer must accept it.
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
using std::memory_order_acq_rel;
using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;
using std::memory_order_seq_cst;

TEST(RightMemory, FencesOrderRelaxedAtomics) {
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

TEST(RightMemory, SequentialFencesForbidStoreBuffering) {
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

TEST(RightMemory, AFenceAgainstASequentialStore) {
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

TEST(RightMemory, IndependentReadsOfIndependentWrites) {
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

TEST(RightMemory, ReadsOfOneAtomicAreCoherentAcrossThreads) {
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

TEST(RightMemory, AReleaseSequenceContinuesThroughReadModifyWrites) {
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

TEST(RightMemory, ASpinlockOfAFlag) {
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

TEST(RightMemory, SpinningWithAndWithoutYield) {
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

TEST(RightMemory, PollingASleepersFlag) {
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

TEST(RightMemory, PollingASleepersFlagWithoutAnyPause) {
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

TEST(RightMemory, AVeryLongRunOfLocks) {
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

TEST(RightMemory, SpinningForAThreadThatWaitsForASleepersLock) {
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

TEST(RightMemory, PetersonsLock) {
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

TEST(RightMemory, ASeqlockOfRelaxedAtomics) {
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

TEST(RightMemory, SharedPointersDieInAnyThread) {
  EXPECT_TRUE(passes([] {
    struct Value {
      std::string text = "a value that is too long for the small buffer";
      ~Value() { text.clear(); }
    };
    auto first = std::make_shared<Value>();
    std::weak_ptr<Value> weak = first;
    std::jthread a([copy = first] { CHECK(copy->text.size() > 10); });
    std::jthread b([weak] {
      if (auto strong = weak.lock()) CHECK(strong->text.size() > 10);
    });
    first.reset();
  }));
}

TEST(RightMemory, AtomicSharedPointers) {
  EXPECT_TRUE(passes([] {
    std::atomic<std::shared_ptr<int>> current(std::make_shared<int>(1));
    std::thread writer([&] { current.store(std::make_shared<int>(2)); });
    std::thread reader([&] {
      auto seen = current.load();
      CHECK(!seen || *seen == 1 || *seen == 2);
    });
    auto last = current.exchange(nullptr);
    writer.join();
    reader.join();
  }));
}

TEST(RightMemory, AReferenceCountWithAnAcquireFence) {
  EXPECT_TRUE(passes([] {
    struct Node {
      std::atomic<int> references{2};
      int data = 0;
    };
    auto* node = new Node;
    auto leave = [node](int add) {
      if (add) node->data += add;
      if (node->references.fetch_sub(1, memory_order_release) == 1) {
        std::atomic_thread_fence(memory_order_acquire);
        CHECK(node->data == 1);
        delete node;
      }
    };
    std::jthread other([=] { leave(1); });
    leave(0);
  }));
}

struct Trouble : std::runtime_error {
  explicit Trouble(int c) : runtime_error("boom"), code(c) {}
  int code;
  std::string extra = std::string(50, 'x');
};

TEST(RightMemory, AnExceptionSharedByThreads) {
  EXPECT_TRUE(passes([] {
    std::exception_ptr trouble;
    std::mutex mutex;
    std::condition_variable changed;
    auto read = [&] {
      std::exception_ptr mine;
      {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return trouble != nullptr; });
        mine = trouble;
      }
      try {
        std::rethrow_exception(mine);
      } catch (const Trouble& error) {
        CHECK(error.code == 3 && error.extra.size() == 50 && !std::strcmp(error.what(), "boom"));
      }
    };
    std::jthread a(read), b(read);
    try {
      throw Trouble(3);
    } catch (...) {
      std::lock_guard lock(mutex);
      trouble = std::current_exception();
      changed.notify_all();
    }
  }));
}

TEST(RightMemory, TheLastOwnerOfAnExceptionIsAnyThread) {
  EXPECT_TRUE(passes([] {
    std::exception_ptr trouble;
    try {
      throw Trouble(3);
    } catch (...) {
      trouble = std::current_exception();
    }
    auto read = [](std::exception_ptr mine) {
      try {
        std::rethrow_exception(std::move(mine));
      } catch (const Trouble& error) {
        Trouble copy = error;  // shares the text with the original
        CHECK(copy.code == 3 && std::string(copy.what()) == "boom");
      }
    };
    std::jthread a(read, trouble), b(read, trouble);
    trouble = nullptr;
  }));
}

TEST(RightMemory, StreamsAndPrintf) {
  EXPECT_TRUE(passes([] {
    auto talk = [] {
      std::ostringstream out;
      out << "hello " << 1.5 << '\n';
      std::cout << out.str() << 42 << std::endl;
      std::printf("%s", out.str().c_str());
    };
    std::jthread a(talk), b(talk);
  }));
}

TEST(RightMemory, NeighbouringBytesAreNotShared) {
  EXPECT_TRUE(passes([] {
    char bytes[8] = {};
    struct [[gnu::packed]] Packed {
      char a;
      int b;
    } packed{};
    std::thread a([&] {
      bytes[0] = 1;
      packed.a = 1;
    });
    std::thread b([&] {
      bytes[1] = 1;
      packed.b = 1;
    });
    a.join();
    b.join();
    CHECK(bytes[0] + bytes[1] == 2 && packed.a + packed.b == 2);
  }));
}

TEST(RightMemory, AnAtomicMadeAnewAtTheSamePlace) {
  EXPECT_TRUE(passes([] {
    alignas(std::atomic<int>) unsigned char room[sizeof(std::atomic<int>)];
    for (int i = 0; i < 3; ++i) {
      auto* atomic = new (room) std::atomic<int>(0);
      std::thread([&] {
        atomic->store(1, memory_order_relaxed);
        atomic->store(0, memory_order_relaxed);
      }).join();
      CHECK(atomic->load(memory_order_relaxed) == 0);
    }
    for (int i = 0; i < 3; ++i) {
      std::atomic<int> local{i};
      std::jthread other([&] { local.fetch_add(10, memory_order_relaxed); });
      int seen = local.load(memory_order_relaxed);
      CHECK(seen == i || seen == i + 10);
    }
  }));
}

TEST(RightMemory, AMutexMadeAnewAtTheSamePlace) {
  EXPECT_TRUE(passes([] {
    for (int i = 0; i < 3; ++i) {
      std::mutex mutex;
      std::condition_variable changed;
      bool ready = false;
      std::jthread other([&] {
        std::lock_guard lock(mutex);
        ready = true;
        changed.notify_one();
      });
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return ready; });
    }
  }));
}

TEST(RightMemory, CopiesAndGrowthUnderALock) {
  EXPECT_TRUE(passes([] {
    std::mutex mutex;
    std::vector<std::string> lines;
    auto add = [&](char letter) {
      for (int i = 0; i < 2; ++i) {
        std::lock_guard lock(mutex);
        lines.push_back(std::string(40, letter));
        lines.front() += letter;
      }
    };
    std::thread a(add, 'a'), b(add, 'b');
    a.join();
    b.join();
    CHECK(lines.size() == 4);
  }));
}

TEST(RightMemory, AtomicRefAndWideAtomics) {
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

TEST(RightMemory, AQueueOfIndicesWithoutLocks) {
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
