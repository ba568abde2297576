// What the kernel says about threads, and whether it is understood.
#include "testing/threads.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <semaphore>
#include <thread>
#include <unistd.h>

#include "testing/kit.hpp"
#include "testing/leftovers.hpp"
#include "testing/watchdog.hpp"

namespace {

using namespace std::chrono_literals;
using workbook::Gate;
namespace threads = workbook::threads;
using For = threads::Wait::For;

// A thread inside `waiting`, for as long as a test looks at it.
class Sleeper {
 public:
  template <class Waiting>
  explicit Sleeper(Waiting waiting)
      : thread_([this, waiting] {
          tid_ = ::gettid();
          waiting();
        }) {}

  int tid() const { return tid_; }
  bool asleep() const {
    const auto seen = tid_ == 0 ? std::nullopt : threads::look(tid_);
    return seen && seen->state == 'S' && threads::wait_of(tid_).what != For::nothing;
  }

 private:
  std::atomic<int> tid_{0};
  std::jthread thread_;
};

TEST(AWait, ForAConditionNeedsAThread) {
  std::mutex mutex;
  std::condition_variable changed;
  bool over = false;
  {
    const Sleeper sleeper([&] {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return over; });
    });
    EXPECT_TRUE(workbook::eventually([&] { return sleeper.asleep(); }));
    const auto wait = threads::wait_of(sleeper.tid());
    EXPECT_EQ(wait.what, For::a_thread);
    EXPECT_EQ(wait.until, threads::Clock::time_point::max());
    const std::lock_guard lock(mutex);
    over = true;
    changed.notify_one();
  }
}

// Each of these has to be told apart from a wait without an end.
template <class Waiting>
void expect_end_in(Waiting waiting, threads::Clock::duration duration) {
  const auto start = threads::Clock::now();
  const Sleeper sleeper(waiting);
  ASSERT_TRUE(workbook::eventually(
      [&] { return sleeper.asleep() && threads::wait_of(sleeper.tid()).what == For::a_thread; }));
  const auto wait = threads::wait_of(sleeper.tid());
  EXPECT_GE(wait.until, start + duration);
  EXPECT_LE(wait.until, threads::Clock::now() + duration + 1s);
}

TEST(AWait, WithALimitEnds) {
  std::mutex mutex;
  std::condition_variable changed;
  expect_end_in(
      [&] {
        std::unique_lock lock(mutex);
        changed.wait_for(lock, 500ms, [] { return false; });
      },
      500ms);
}

TEST(AWait, WithALimitOnTheSystemClockEnds) {
  std::mutex mutex;
  std::condition_variable changed;
  expect_end_in(
      [&] {
        std::unique_lock lock(mutex);
        changed.wait_until(lock, std::chrono::system_clock::now() + 500ms, [] { return false; });
      },
      400ms);
}

TEST(AWait, ForTimeToPassEnds) {
  expect_end_in([] { std::this_thread::sleep_for(500ms); }, 500ms);
}

TEST(AWait, OnASemaphoreWithALimitEnds) {
  std::binary_semaphore semaphore(0);
  expect_end_in([&] { EXPECT_FALSE(semaphore.try_acquire_for(500ms)); }, 400ms);
}

TEST(AWait, OnAnAtomicNeedsAThread) {
  std::atomic<int> value{0};
  const Sleeper sleeper([&] { value.wait(0); });
  EXPECT_TRUE(workbook::eventually([&] {
    const auto wait = threads::wait_of(sleeper.tid());
    return sleeper.asleep() && wait.what == For::a_thread &&
           wait.until == threads::Clock::time_point::max();
  }));
  value = 1;
  value.notify_all();
}

TEST(AWait, OnAPipeIsForTheOutside) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  {
    const Sleeper sleeper([&] {
      char byte = 0;
      EXPECT_EQ(::read(ends[0], &byte, 1), 0);
    });
    EXPECT_TRUE(workbook::eventually(
        [&] { return sleeper.asleep() && threads::wait_of(sleeper.tid()).what == For::outside; }));
    ::close(ends[1]);
  }
  ::close(ends[0]);
}

TEST(AWait, ThatIsNoneIsToldAsSuch) {
  std::atomic<bool> stop{false};
  const Sleeper sleeper([&] {
    while (!stop) {
    }
  });
  EXPECT_TRUE(workbook::eventually(
      [&] { return sleeper.tid() != 0 && threads::wait_of(sleeper.tid()).what == For::nothing; }));
  stop = true;
}

TEST(ASighting, ChangesWhenAThreadHasRun) {
  Gate first;
  Gate second;
  const Sleeper sleeper([&] {
    first.wait();
    second.wait();
  });
  ASSERT_TRUE(workbook::eventually([&] { return sleeper.asleep(); }));
  const auto before = threads::look(sleeper.tid());
  EXPECT_EQ(before, threads::look(sleeper.tid()));
  first.open();
  EXPECT_TRUE(workbook::eventually(
      [&] { return sleeper.asleep() && threads::look(sleeper.tid()) != before; }));
  second.open();
}

TEST(ASighting, OfAThreadThatHasEndedIsEmpty) {
  int tid = 0;
  std::thread([&] { tid = ::gettid(); }).join();
  EXPECT_TRUE(workbook::eventually([&] { return !threads::look(tid); }));
}

TEST(TheList, HasTheMainThreadAndTheOthers) {
  Gate gate;
  const Sleeper sleeper([&] { gate.wait(); });
  ASSERT_TRUE(workbook::eventually([&] { return sleeper.tid() != 0; }));
  const auto tids = threads::list();
  EXPECT_TRUE(std::ranges::is_sorted(tids));
  EXPECT_TRUE(std::ranges::binary_search(tids, ::getpid()));
  EXPECT_TRUE(std::ranges::binary_search(tids, sleeper.tid()));
  gate.open();
}

TEST(Switches, OfExcludedThreadsDontCount) {
  std::atomic<bool> stop{false};
  const Sleeper restless([&] {
    while (!stop) std::this_thread::sleep_for(1ms);
  });
  ASSERT_TRUE(workbook::eventually([&] { return restless.tid() != 0; }));
  auto excluded = workbook::Watchdog::own_threads();
  excluded.push_back(restless.tid());
  excluded.push_back(::gettid());
  // A thread may be switched between the looks at it and at the sum: the same twice will do.
  EXPECT_TRUE(workbook::eventually([&] {
    const auto before = threads::switches_of_all_but(excluded);
    std::this_thread::sleep_for(20ms);
    return before == threads::switches_of_all_but(excluded);
  }));
  stop = true;
}

TEST(EffectiveTime, PassesForWhoSleeps) {
  threads::EffectiveTime time;
  std::this_thread::sleep_for(50ms);
  const std::array<int, 1> caller{::getpid()};
  time.advance(caller);
  EXPECT_GT(time.passed(), 0ms);
}

TEST(EffectiveTime, StandsStillWhileItIsSkipped) {
  threads::EffectiveTime time;
  std::this_thread::sleep_for(50ms);
  time.skip();
  EXPECT_EQ(time.passed(), 0ms);
}

TEST(Leftovers, AreOnlyThoseYoungerThanTheTest) {
  Gate gate;
  const Sleeper old([&] { gate.wait(); });
  ASSERT_TRUE(workbook::eventually([&] { return old.tid() != 0; }));
  workbook::Leftovers leftovers;
  leftovers.remember();
  Gate other;
  {
    const Sleeper young([&] { other.wait(); });
    ASSERT_TRUE(workbook::eventually([&] { return young.tid() != 0; }));
    EXPECT_EQ(leftovers.wait(), std::vector<int>{young.tid()});
    other.open();
  }
  EXPECT_EQ(leftovers.wait(), std::vector<int>());
  gate.open();
}

}  // namespace
