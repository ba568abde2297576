// One small wrong program for each thing the explorer reports.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <future>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <signal.h>
#include <stdexcept>
#include <thread>
#include <unistd.h>

#include "explored_body.hpp"

namespace explorer {
namespace {

using namespace std::chrono_literals;

TEST(Detects, ADataRace) {
  EXPECT_TRUE(fails(FailureKind::data_race, [] {
    int value = 0;
    std::jthread other([&] { value = 1; });
    value = 2;
  }));
}

TEST(Detects, ARaceOnTheContentsOfAString) {
  EXPECT_TRUE(fails(FailureKind::data_race, [] {
    std::string text = "a text that is too long for the small buffer";
    std::jthread other([&] { text += "!"; });
    std::string copy = text;
  }));
}

TEST(Detects, ALoopOverAPlainFlag) {
  EXPECT_TRUE(fails(FailureKind::data_race, [] {
    bool done = false;
    std::jthread other([&] { done = true; });
    while (!done) {
    }
  }));
}

TEST(Detects, ACycleOfLocks) {
  EXPECT_TRUE(fails(FailureKind::deadlock, [] {
    std::mutex a, b;
    std::jthread other([&] {
      std::lock_guard first(b);
      std::lock_guard second(a);
    });
    std::lock_guard first(a);
    std::lock_guard second(b);
  }));
}

TEST(Detects, LockingTwice) {
  EXPECT_TRUE(fails(FailureKind::deadlock, [] {
    std::mutex mutex;
    std::lock_guard first(mutex);
    std::lock_guard second(mutex);
  }));
}

TEST(Detects, JoiningWhatWaitsForTheJoiner) {
  EXPECT_TRUE(fails(FailureKind::deadlock, [] {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::thread other([&] { std::lock_guard inner(mutex); });
    other.join();
  }));
}

TEST(Detects, ALostWakeup) {
  EXPECT_TRUE(fails(FailureKind::lost_wakeup, [] {
    std::mutex mutex;
    std::condition_variable changed;
    std::jthread other([&] { changed.notify_one(); });
    std::unique_lock lock(mutex);
    changed.wait(lock);
  }));
}

TEST(Detects, AFutureNobodyFulfils) {
  EXPECT_TRUE(fails(FailureKind::lost_wakeup, [] {
    std::promise<int> promise;
    promise.get_future().get();
  }));
}

TEST(Detects, ASpinOnWhatNobodyChanges) {
  EXPECT_TRUE(fails(FailureKind::livelock, [] {
    std::atomic<bool> never_set{false};
    while (!never_set) std::this_thread::yield();
  }));
}

TEST(Detects, UseAfterFree) {
  EXPECT_TRUE(fails(FailureKind::use_after_free, [] {
    auto value = std::make_unique<int>(1);
    int* pointer = value.get();
    std::atomic<bool> freed{false};
    std::jthread other([&] {
      if (freed) *pointer = 2;
    });
    value.reset();
    freed = true;
  }));
}

TEST(Detects, AFreeThatNothingOrders) {
  EXPECT_TRUE(fails(FailureKind::data_race, [] {
    auto value = std::make_unique<int>(1);
    std::atomic<bool> used{false};
    std::jthread other([&, pointer = value.get()] {
      *pointer = 2;
      used.store(true, std::memory_order_relaxed);
    });
    while (!used.load(std::memory_order_relaxed)) std::this_thread::yield();
    value.reset();
  }));
}

TEST(Detects, UseAfterReturn) {
  EXPECT_TRUE(fails(FailureKind::use_after_return, [] {
    std::atomic<int*> leaked{nullptr};
    std::thread owner([&] {
      int local = 1;
      leaked = &local;
    });
    owner.join();
    *leaked.load() = 2;
  }));
}

TEST(Detects, AThreadLeftWaiting) {
  EXPECT_TRUE(fails(FailureKind::left_behind, [] {
    auto mutex = std::make_shared<std::mutex>();
    auto changed = std::make_shared<std::condition_variable>();
    std::thread([=] {
      std::unique_lock lock(*mutex);
      changed->wait(lock, [] { return false; });
    }).detach();
  }));
}

TEST(Detects, AThreadLeftTicking) {
  EXPECT_TRUE(fails(FailureKind::left_behind, [] {
    std::thread([] {
      for (;;) std::this_thread::sleep_for(1min);
    }).detach();
  }));
}

TEST(Detects, UnlockByAnother) {
  EXPECT_TRUE(fails(FailureKind::misuse, [] {
    std::mutex mutex;
    mutex.lock();
    std::thread([&] { mutex.unlock(); }).join();
  }));
}

TEST(Detects, UnlockOfWhatIsNotLocked) {
  EXPECT_TRUE(fails(FailureKind::misuse, [] {
    std::mutex mutex;
    mutex.unlock();
  }));
}

TEST(Detects, DestroyingALockedMutex) {
  EXPECT_TRUE(fails(FailureKind::misuse, [] {
    auto mutex = std::make_unique<std::mutex>();
    mutex->lock();
    mutex.reset();
  }));
}

TEST(Detects, DestroyingAConditionVariableInUse) {
  EXPECT_TRUE(fails(FailureKind::misuse, [] {
    std::mutex mutex;
    auto changed = std::make_unique<std::condition_variable>();
    std::atomic<bool> waiting{false};
    std::jthread waiter([&] {
      std::unique_lock lock(mutex);
      waiting = true;
      changed->wait(lock);
    });
    while (!waiting) std::this_thread::yield();
    std::lock_guard lock(mutex);
    changed.reset();
  }));
}

TEST(Detects, AnEscapedException) {
  EXPECT_TRUE(fails(FailureKind::escaped_exception, [] {
    std::thread([] { throw std::runtime_error("nobody catches me"); }).join();
  }));
}

TEST(Detects, AJoinableThreadDestroyed) {
  EXPECT_TRUE(fails(FailureKind::crash, [] { std::thread other([] {}); }));
}

TEST(Detects, ACrash) {
  EXPECT_TRUE(fails(FailureKind::crash, [] { *static_cast<volatile int*>(nullptr) = 1; }));
}

TEST(Detects, StackOverflow) {
  EXPECT_TRUE(fails(FailureKind::crash, [] {
    struct Deep {
      static int dig(int n) {  // NOLINT: recursion without end is the point
        if (n < 0) return 0;
        volatile char room[4096];
        room[0] = static_cast<char>(n);
        return dig(n + 1) + room[0];
      }
    };
    std::thread([] { Deep::dig(0); }).join();
  }));
}

TEST(Detects, AStaleReadThatOnlyWeakOrderAllows) {
  EXPECT_TRUE(fails(FailureKind::check_failed, [] {
    std::atomic<int> x{0}, y{0};
    int seen_x = 0, seen_y = 0;
    std::thread a([&] {
      x.store(1, std::memory_order_release);
      seen_y = y.load(std::memory_order_acquire);
    });
    std::thread b([&] {
      y.store(1, std::memory_order_release);
      seen_x = x.load(std::memory_order_acquire);
    });
    a.join();
    b.join();
    CHECK(seen_x || seen_y);
  }));
}

TEST(Declines, AThreadThatBlocksInTheKernel) {
  Outcome outcome = explored([] {
    int ends[2];
    CHECK(pipe(ends) == 0);
    std::thread writer([&] { CHECK(write(ends[1], "x", 1) == 1); });
    char byte;
    CHECK(read(ends[0], &byte, 1) == 1);
    writer.join();
  });
  EXPECT_EQ(outcome.status, Status::cannot_explore);
  EXPECT_NE(outcome.problem.find("system call"), std::string::npos) << outcome.problem;
}

TEST(Detects, AnExitOfItsOwn) {
  EXPECT_TRUE(fails(FailureKind::crash, [] {
    std::atomic<int> turn{0};
    std::jthread other([&] { turn = 1; });
    if (turn == 1) std::exit(0);
  }));
}

// Whatever the status: the runtime says by some of them how a schedule has failed.
TEST(Detects, AnEndWithAnyStatus) {
  for (int status : {0, 1, 9, 10, 15, 21, 22, 23, 87, 255})
    EXPECT_TRUE(fails(FailureKind::crash, [status] { std::_Exit(status); }, 0.1)) << status;
}

TEST(Detects, AnEndByAnotherThread) {
  EXPECT_TRUE(fails(FailureKind::crash, [] { std::jthread([] { std::_Exit(22); }); }));
}

TEST(Detects, AQuickExit) {
  EXPECT_TRUE(fails(FailureKind::crash, [] { std::quick_exit(0); }));
}

TEST(Detects, AKillOfItself) {
  EXPECT_TRUE(fails(FailureKind::crash, [] { kill(getpid(), SIGKILL); }));
}

// It ended orderly only if it says so and ends as it should.
TEST(Detects, AnEndThatCallsItselfOrderly) {
  EXPECT_TRUE(fails(FailureKind::crash, [] {
    shared_memory().orderly = true;
    std::_Exit(1);
  }));
}

TEST(Declines, AForkedProcess) {
  EXPECT_EQ(explored([] { static_cast<void>(fork()); }).status, Status::cannot_explore);
}

TEST(Declines, TooManyThreads) {
  Outcome outcome = explored([] {
    for (int i = 0; i < 40; ++i) std::thread([] {}).join();
  });
  EXPECT_EQ(outcome.status, Status::cannot_explore);
}

TEST(Carries, AStaticOverFromScheduleToScheduleIsNotAFailure) {
  EXPECT_TRUE(passes([] {
    static std::atomic<int> runs{0};
    CHECK(++runs < 3);  // fails in every process that runs three schedules
    std::jthread other([] {});
  }));
}

}  // namespace
}  // namespace explorer
