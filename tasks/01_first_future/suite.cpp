// What a first future must do. Every test is a sentence; the failure says what to think about next.
#include <atomic>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <gtest/gtest.h>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "first_future.hpp"
#include "runtime/channel.hpp"
#include "runtime/spawn.hpp"
#include "testing/kit.hpp"

namespace first_future_suite {

using namespace std::chrono_literals;
using futures::Fn;
using futures::Receiver;

// The types of the contract: a value of any other could compare equal to whatever is expected.
static_assert(
    requires(futures::Fn<int()>& fn) {
      { futures::async(std::move(fn)) } -> std::same_as<Receiver<int>>;
    }, "async() returns a Receiver<int>");

// A version may report an exception through spawn() or keep it to itself: both are right here. What
// this test's functions reported is taken away before the kit looks.
class MayReportExceptions {
 public:
  MayReportExceptions() = default;
  MayReportExceptions(const MayReportExceptions&) = delete;
  MayReportExceptions& operator=(const MayReportExceptions&) = delete;
  ~MayReportExceptions() {
    EXPECT_TRUE(workbook::eventually([this] { return futures::spawned_threads() <= before_; }))
        << "the function threw, and its thread has not ended";
    futures::take_escaped_exceptions();
  }

 private:
  std::size_t before_ = futures::spawned_threads();
};

// A chain: each function waits for a future that is started only after it. Returns its length.
int follow(std::size_t links) {
  if (links == 0) return 0;
  auto later = std::make_shared<std::optional<Receiver<int>>>();
  auto started = std::make_shared<workbook::Gate>();
  Receiver<int> first = futures::async([later, started] {
    started->wait();
    return (*later)->receive().value_or(-1000000) + 1;
  });
  const auto rest = futures::async([links] { return follow(links - 1); });
  *later = rest;
  started->open();
  return first.receive().value_or(-1000000);
}

#ifndef WORKBOOK_RUNS_EXPLORED_ONLY

TEST(Basic, TheValueArrives) {
  auto future = futures::async([] { return 42; });
  EXPECT_EQ(future.receive(), 42) << "the first receive() must get what the function returned";
}

TEST(Basic, EveryIntIsAValue) {
  for (const int value :
       {0, -1, 1, std::numeric_limits<int>::min(), std::numeric_limits<int>::max()}) {
    EXPECT_EQ(futures::async([value] { return value; }).receive(), value)
        << "no number is free to stand for something else";
  }
}

TEST(Basic, ASecondReceiveReturnsNulloptAtOnce) {
  auto future = futures::async([] { return 42; });
  ASSERT_EQ(future.receive(), 42);
  EXPECT_EQ(future.receive(), std::nullopt)
      << "there is one value; after it the channel must be closed and empty";
  EXPECT_TRUE(future.closed());
}

TEST(Basic, AsyncReturnsWhileTheFunctionIsStillRunning) {
  const auto caller = std::this_thread::get_id();
  auto gate = std::make_shared<workbook::Gate>();
  auto on_the_caller = std::make_shared<std::atomic<bool>>(false);

  auto future = futures::async([=] {
    if (std::this_thread::get_id() == caller) {
      *on_the_caller = true;
      return 1;
    }
    gate->wait();
    return 1;
  });

  EXPECT_FALSE(*on_the_caller) << "the function ran inside async(), on the caller's thread";
  EXPECT_EQ(future.try_receive(), std::nullopt);
  EXPECT_FALSE(future.closed()) << "closed before the function had returned";
  gate->open();
  EXPECT_EQ(future.receive(), 1);
}

TEST(Basic, AnAwaitWithATimeLimitGivesUpAndTheValueStillComes) {
  auto gate = std::make_shared<workbook::Gate>();
  auto future = futures::async([gate] {
    gate->wait();
    return 7;
  });
  EXPECT_EQ(future.receive_for(5ms), std::nullopt);
  EXPECT_FALSE(future.closed())
      << "the wait ran out of time, but the channel says that no value will ever come";
  gate->open();
  EXPECT_EQ(future.receive(), 7) << "giving up on one wait must not lose the value";
}

TEST(Basic, TheFunctionMayOwnWhatCannotBeCopied) {
  auto future = futures::async([owned = std::make_unique<int>(5)] { return *owned; });
  EXPECT_EQ(future.receive(), 5);
}

TEST(Stress, EveryFutureDeliversItsOwnValueAndIsClosedAfterIt) {
  workbook::stress(8, workbook::rounds(60), [](std::size_t thread, std::size_t round) {
    const int expected = static_cast<int>(thread * 1000 + round);
    auto future = futures::async([expected] { return expected; });
    EXPECT_EQ(future.receive(), expected)
        << "nullopt here: the channel was closed before the value was in it";
    EXPECT_EQ(future.receive(), std::nullopt);
  });
}

TEST(Stress, OfManyReceiversExactlyOneGetsTheValue) {
  struct Shared {
    Receiver<int> future = futures::async([] { return 9; });
    std::atomic<int> values{0};
    std::atomic<int> sum{0};
  };
  workbook::stress_on(
      8, workbook::rounds(60), [] { return std::make_unique<Shared>(); },
      [](std::unique_ptr<Shared>& shared, std::size_t) {
        Receiver<int> mine = shared->future;
        if (const auto value = mine.receive()) {
          ++shared->values;
          shared->sum += *value;
        }
      },
      [](std::unique_ptr<Shared>& shared) {
        EXPECT_EQ(shared->values, 1) << "eight threads received: one value, seven times nullopt";
        EXPECT_EQ(shared->sum, 9);
      });
}

TEST(Stress, AFunctionMayWaitForAFutureThatWasStartedAfterIt) {
  const std::size_t links = workbook::crowd(40);
  EXPECT_EQ(follow(links), static_cast<int>(links))
      << "functions that wait for each other must not share a thread";
}

TEST(Stress, AThousandFunctionsRunAtTheSameTime) {
  const std::size_t total = workbook::crowd(1000);
  auto meeting = std::make_shared<workbook::Meeting>(total);
  std::vector<Receiver<int>> futures;
  for (std::size_t i = 0; i < total; ++i) {
    futures.push_back(futures::async([meeting] {
      meeting->meet();
      return 1;
    }));
  }
  EXPECT_TRUE(meeting->all_met()) << "of " << total << " functions only " << meeting->here()
                                  << " have begun; each waits for all the others";
  for (auto& future : futures) EXPECT_EQ(future.receive(), 1);
}

TEST(Stress, AThreadThatIsFreeIsNotPromisedTwice) {
  for (std::size_t round = 0; round < workbook::rounds(200); ++round) {
    EXPECT_EQ(futures::async([] { return 3; }).receive(), 3);
    std::this_thread::sleep_for(10us * (round % 20));  // so that it meets it in every state
    EXPECT_EQ(follow(1), 1) << "right after another function had ended, one that waits for the "
                               "next was started, and the next was not";
  }
}

TEST(Lifecycle, TenThousandAbandonedFuturesLeaveNoThread) {
  const std::size_t total = workbook::rounds(10'000);
  // Some may still be on their way out: this is not about when exactly a thread is gone.
  const std::size_t room = workbook::live_threads() + 100;
  const std::size_t mapped = workbook::mapped_areas();
  auto finished = std::make_shared<std::atomic<std::size_t>>(0);
  std::ptrdiff_t early = 0;
  for (std::size_t started = 1; started <= total; ++started) {
    futures::async([finished] {
      finished->fetch_add(1);
      return 1;
    });  // nobody keeps the receiver
    if (started % 100 != 0) continue;
    ASSERT_TRUE(workbook::eventually([&] { return finished->load() == started; }))
        << "of " << started << " abandoned functions only " << *finished << " have run";
    ASSERT_TRUE(workbook::eventually([&] { return workbook::live_threads() <= room; }))
        << "all " << started << " functions have returned, and " << workbook::live_threads()
        << " threads are alive: what are the producers waiting for, if nobody receives?";
    if (started == total / 5) early = workbook::heap_in_use();
  }
  EXPECT_TRUE(workbook::eventually([&] { return finished->load() == total; }));
  EXPECT_TRUE(workbook::eventually([&] { return workbook::mapped_areas() < mapped + total; }))
      << "the threads have ended, and their stacks are still mapped: a thread that is neither "
         "joined nor detached keeps its memory";
  const auto kept = workbook::heap_in_use() - early;
  EXPECT_LT(kept, static_cast<std::ptrdiff_t>(total * 64))
      << "the last four fifths of these futures are over, and " << kept << " bytes of them stayed";
}

TEST(Lifecycle, AnAbandonedFunctionRunsToItsEnd) {
  auto gate = std::make_shared<workbook::Gate>();
  auto done = std::make_shared<workbook::Gate>();
  futures::async([gate, done] {
    gate->wait();
    done->open();
    return 1;
  });  // abandoned while it runs
  gate->open();
  EXPECT_TRUE(done->wait_for()) << "the function of an abandoned future was never finished";
}

TEST(Lifecycle, AnExceptionClosesTheChannelWithoutAValue) {
  const MayReportExceptions allowed;
  auto future = futures::async([]() -> int { throw std::runtime_error("no value today"); });
  EXPECT_EQ(future.receive(), std::nullopt)
      << "the function threw, and the waiter was told that it had returned a value";
  EXPECT_TRUE(future.closed());
}

TEST(Lifecycle, SomethingThrownThatIsNoStdExceptionClosesTheChannelToo) {
  const MayReportExceptions allowed;
  for (const auto& future : {futures::async([]() -> int { throw 42; }),
                             futures::async([]() -> int { throw nullptr; })}) {
    EXPECT_EQ(future.receive(), std::nullopt);
    EXPECT_TRUE(future.closed());
  }
}

TEST(Lifecycle, TheFunctionRunsOnceAndItsCapturesAreDestroyed) {
  auto calls = std::make_shared<std::atomic<int>>(0);
  const int before = workbook::Tracked::live();
  auto future = futures::async([calls, tracked = workbook::Tracked{}] { return ++*calls; });
  EXPECT_EQ(future.receive(), 1);
  EXPECT_TRUE(workbook::eventually([&] { return workbook::Tracked::live() == before; }))
      << "the function has run, but what it captured is still alive: who keeps it?";
  EXPECT_EQ(*calls, 1) << "the function must run exactly once";
}

TEST(Lifecycle, ACaptureMayStartAFutureWhenItIsDestroyed) {
  ASSERT_EQ(futures::async([] { return 4; }).receive(), 4);
  auto over = std::make_shared<workbook::Gate>();
  auto future = futures::async([last = workbook::LastWords([over] {
                                  if (futures::async([] { return 5; }).receive() == 5) over->open();
                                })] { return 4; });
  EXPECT_EQ(future.receive(), 4);
  EXPECT_TRUE(over->wait_for())
      << "a capture's destructor calls async() and waits: who destroys captures under a lock?";
}

TEST(Lifecycle, AFutureMayBeStartedWhileAnExceptionIsOnItsWay) {
  const MayReportExceptions allowed;
  ASSERT_EQ(futures::async([] { return 4; }).receive(), 4);
  std::optional<Receiver<int>> value;
  std::optional<Receiver<int>> failure;
  try {
    const workbook::LastWords cleaning_up([&] {
      value = futures::async([] { return 7; });
      failure = futures::async([]() -> int { throw 42; });
    });
    throw std::runtime_error("the caller's own");
  } catch (const std::runtime_error&) {
    EXPECT_EQ(value->receive(), 7) << "it is the caller that fails, and not this function";
    EXPECT_EQ(failure->receive(), std::nullopt);
  }
}

TEST(Lifecycle, WhatAThrowingFunctionCapturedIsDestroyedToo) {
  const MayReportExceptions allowed;
  const int before = workbook::Tracked::live();
  auto future = futures::async(
      [tracked = workbook::Tracked{}]() -> int { throw std::runtime_error("out of paper"); });
  EXPECT_EQ(future.receive(), std::nullopt);
  EXPECT_TRUE(workbook::eventually([&] { return workbook::Tracked::live() == before; }))
      << "the function has thrown, and what it captured is still alive: who keeps it?";
}

#endif

TEST(Explored, TheValueArrivesAndThenTheChannelIsClosed) {
  auto future = futures::async([] { return 42; });
  EXPECT_EQ(future.receive(), 42) << "nullopt: the channel was closed before the value was in it";
  EXPECT_EQ(future.receive(), std::nullopt);
}

TEST(Explored, TheProducerOfAnAbandonedFutureEnds) {
  futures::async([] { return 42; });
}

TEST(Explored, AWaitThatGivesUpLosesNothing) {
  auto future = futures::async([] { return 42; });
  auto value = future.receive_for(1ms);
  if (!value) value = future.receive();
  EXPECT_EQ(value, 42) << "the time limit passed, and with it the value";
}

TEST(Explored, TwoFuturesDoNotDisturbEachOther) {
  auto one = futures::async([] { return 1; });
  auto two = futures::async([] { return 2; });
  EXPECT_EQ(two.receive(), 2);
  EXPECT_EQ(one.receive(), 1);
}

TEST(Explored, AThreadThatIsFreeIsNotPromisedTwice) {
  EXPECT_EQ(futures::async([] { return 3; }).receive(), 3);
  (void)workbook::let_all_wait();  // whoever wants to wait for work does
  EXPECT_EQ(follow(1), 1) << "right after another function had ended, one that waits for the next "
                             "was started, and the next was not";
}

TEST(Explored, AThreadThatIsAboutToGoIsNotPromisedTwice) {
  EXPECT_EQ(futures::async([] { return 3; }).receive(), 3);
  EXPECT_EQ(follow(1), 1) << "while another function's thread was ending, one that waits for the "
                             "next was started, and the next was not";
}

TEST(Explored, AnExceptionWakesTheWaiter) {
  const MayReportExceptions allowed;
  auto future = futures::async([]() -> int { throw 42; });
  EXPECT_EQ(future.receive(), std::nullopt);
}

}  // namespace first_future_suite
