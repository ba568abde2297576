#include "runtime/context.hpp"

#include <atomic>
#include <gtest/gtest.h>
#include <latch>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "threads.hpp"

namespace futures {
namespace {

using namespace std::chrono_literals;
using test::eventually;
using test::idle_threads;
using test::patience;
using test::threads_in_process;

bool ends(const Context& context) { return !context.sleep_for(patience); }

TEST(Context, TheBackgroundNeverEnds) {
  const Context root = Context::background();
  EXPECT_FALSE(root.done());
  EXPECT_FALSE(root.error());
  EXPECT_FALSE(root.deadline());
  EXPECT_FALSE(root.stop_token().stop_possible()) << "nobody need listen to it";
  EXPECT_TRUE(root.sleep_for(1ms));
}

TEST(Context, CancelReachesTheGrandchildWithItsReason) {
  auto parent = with_cancel(Context::background());
  const auto child = with_cancel(parent.context());
  const auto grandchild = with_cancel(child.context());
  const Error why{Errc::unavailable, "the database is gone"};
  parent.cancel(why);
  EXPECT_TRUE(grandchild.context().done());
  EXPECT_EQ(grandchild.context().error(), why);
}

TEST(Context, CancellingAChildLeavesTheParentAlone) {
  const auto parent = with_cancel(Context::background());
  auto child = with_cancel(parent.context());
  child.cancel();
  EXPECT_TRUE(child.context().done());
  EXPECT_FALSE(parent.context().done());
}

TEST(Context, TheFirstReasonIsKept) {
  auto source = with_timeout(Context::background(), 1ms);
  ASSERT_TRUE(ends(source.context()));
  source.cancel();
  EXPECT_TRUE(source.context().error()->code == Errc::deadline_exceeded);
}

TEST(Context, TheReasonIsThereWhenACallbackRuns) {
  auto source = with_cancel(Context::background());
  std::optional<Error> seen;
  const std::stop_callback callback(source.context().stop_token(),
                                    [&] { seen = source.context().error(); });
  source.cancel(Error{Errc::unavailable, "x"});
  ASSERT_TRUE(seen);
  EXPECT_TRUE(seen->code == Errc::unavailable);
}

TEST(Context, ADroppedSourceCancels) {
  std::optional<CancelSource> source = with_cancel(Context::background());
  const Context context = source->context();
  source.reset();
  EXPECT_TRUE(context.error()->code == Errc::cancelled);
}

TEST(Context, AMovedFromSourceCancelsNothing) {
  auto source = with_cancel(Context::background());
  const Context context = source.context();
  {
    auto moved = std::move(source);
    source.cancel();  // NOLINT(bugprone-use-after-move): that is the question
    EXPECT_FALSE(context.done());
    source = with_cancel(Context::background());
    EXPECT_FALSE(context.done());
  }
  EXPECT_TRUE(context.done());
}

TEST(Context, AssigningToASourceCancelsWhatItHeld) {
  auto source = with_cancel(Context::background());
  const Context first = source.context();
  source = with_cancel(Context::background());
  EXPECT_TRUE(first.done());
  EXPECT_FALSE(source.context().done());
}

TEST(Context, TheDeadlineIsTheEarlierOfOwnAndParent) {
  const auto now = Clock::now();
  const auto early = with_deadline(Context::background(), now + 1h);
  EXPECT_EQ(with_deadline(early.context(), now + 2h).context().deadline(), now + 1h);
  EXPECT_EQ(with_deadline(early.context(), now + 30min).context().deadline(), now + 30min);
  EXPECT_EQ(with_cancel(early.context()).context().deadline(), now + 1h);
}

TEST(Context, APassedDeadlineEndsTheChildAtOnce) {
  const auto source = with_deadline(Context::background(), Clock::now() - 1s);
  EXPECT_TRUE(source.context().error()->code == Errc::deadline_exceeded);
}

TEST(Context, AChildOfAnEndedParentIsBornEnded) {
  auto parent = with_cancel(Context::background());
  parent.cancel(Error{Errc::unavailable, "x"});
  const auto child = with_timeout(parent.context(), 1h);
  EXPECT_TRUE(child.context().error()->code == Errc::unavailable);
}

TEST(Context, AnEndlessTimeoutDoesNotOverflow) {
  const auto source = with_timeout(Context::background(), Clock::duration::max());
  EXPECT_FALSE(source.context().done());
}

TEST(Context, SleepEndsWithTheContext) {
  auto source = with_cancel(Context::background());
  std::jthread canceller([&] { source.cancel(); });
  EXPECT_FALSE(source.context().sleep_for(patience * 100));
}

TEST(Context, AParentWithAThousandChildrenEndsThemAll) {
  auto parent = with_cancel(Context::background());
  std::vector<CancelSource> children;
  for (int i = 0; i < 1000; ++i) children.push_back(with_timeout(parent.context(), 1h));
  EXPECT_EQ(detail::Timer::instance().pending(), 1000U);
  parent.cancel();
  for (const auto& child : children) {
    ASSERT_TRUE(child.context().error()->code == Errc::cancelled);
  }
  children.clear();
  EXPECT_EQ(detail::Timer::instance().pending(), 0U);
}

TEST(Context, CallbacksComeAndGoDuringACancel) {
  for (int round = 0; round < 200; ++round) {
    auto source = with_cancel(Context::background());
    std::latch start(3);
    std::atomic<int> ran{0};
    auto listen = [&] {
      start.arrive_and_wait();
      for (int i = 0; i < 20; ++i) {
        const std::stop_callback callback(source.context().stop_token(), [&] { ++ran; });
        const auto child = with_cancel(source.context());
      }
    };
    std::jthread a(listen);
    std::jthread b(listen);
    start.arrive_and_wait();
    source.cancel();
  }
}

TEST(Context, TheLastHandleOfAChildMayGoDuringTheCancel) {
  for (int round = 0; round < 500; ++round) {
    auto parent = with_cancel(Context::background());
    auto child = std::make_optional(with_timeout(parent.context(), 1h));
    std::latch start(2);
    std::jthread dropper([&] {
      start.arrive_and_wait();
      child.reset();
    });
    start.arrive_and_wait();
    parent.cancel();
  }
}

TEST(Context, ACallbackMayDestroyTheSourceThatIsBeingCancelled) {
  auto source = std::make_unique<CancelSource>(with_cancel(Context::background()));
  auto* raw = source.get();
  const std::stop_callback callback(raw->context().stop_token(), [&] { source.reset(); });
  raw->cancel();
  EXPECT_FALSE(source);
}

TEST(Context, OneTimerThreadServesAllAndThenEnds) {
  // Not measured against what is there now: an earlier test's thread may be on its way out.
  ASSERT_TRUE(eventually([] { return threads_in_process() <= idle_threads; }));
  {
    std::vector<CancelSource> sources;
    for (int i = 0; i < 100; ++i) {
      sources.push_back(with_timeout(Context::background(), 1h + i * 1s));
    }
    EXPECT_LE(threads_in_process(), idle_threads + 1);
  }
  EXPECT_TRUE(eventually([] { return threads_in_process() <= idle_threads; }));
}

TEST(Context, ATightenedDeadlineIsToldAndNeverTakenBack) {
  const auto now = Clock::now();
  auto source = with_cancel(Context::background());
  const Context child = with_cancel(source.context()).context();
  EXPECT_FALSE(source.context().deadline());
  source.tighten(now + 2h);
  EXPECT_EQ(source.context().deadline(), now + 2h);
  source.tighten(now + 1h);
  EXPECT_EQ(source.context().deadline(), now + 1h);
  source.tighten(now + 3h);
  EXPECT_EQ(source.context().deadline(), now + 1h);
  EXPECT_EQ(child.deadline(), now + 1h) << "a child that was there before";
  EXPECT_FALSE(source.context().done());
  EXPECT_EQ(detail::Timer::instance().pending(), 1U) << "one entry, however often it moves";
}

TEST(Context, ATightenedDeadlineEndsASleepThatHasBegun) {
  auto source = with_timeout(Context::background(), 1h);
  const auto child = with_cancel(source.context());
  std::jthread sleeper([&] {
    EXPECT_TRUE(ends(child.context()));
    EXPECT_TRUE(child.context().error()->code == Errc::deadline_exceeded);
  });
  const auto soon = Clock::now() + 20ms;
  source.tighten(soon);
  EXPECT_TRUE(ends(source.context()));
  EXPECT_GE(Clock::now(), soon);
  EXPECT_TRUE(source.context().error()->code == Errc::deadline_exceeded);
}

TEST(Context, TighteningToATimeThatHasPassedEndsAtOnce) {
  auto source = with_timeout(Context::background(), 1h);
  const auto past = Clock::now() - 1s;
  source.tighten(past);
  EXPECT_TRUE(source.context().error()->code == Errc::deadline_exceeded);
  EXPECT_EQ(source.context().deadline(), past);
}

TEST(Context, TheParentsEarlierDeadlineStaysInForce) {
  const auto now = Clock::now();
  const auto parent = with_deadline(Context::background(), now + 1h);
  auto child = with_cancel(parent.context());
  child.tighten(now + 2h);
  EXPECT_EQ(child.context().deadline(), now + 1h);
  child.tighten(now + 30min);
  EXPECT_EQ(child.context().deadline(), now + 30min);
  EXPECT_EQ(parent.context().deadline(), now + 1h);
}

TEST(Context, AnEndedContextKeepsNoTimerAndCannotBeTightened) {
  const auto now = Clock::now();
  auto source = with_deadline(Context::background(), now + 1h);
  EXPECT_EQ(detail::Timer::instance().pending(), 1U);
  source.cancel();
  EXPECT_EQ(detail::Timer::instance().pending(), 0U);
  source.tighten(now + 1min);
  EXPECT_EQ(detail::Timer::instance().pending(), 0U);
  EXPECT_EQ(source.context().deadline(), now + 1h);
  source.tighten(now);
  EXPECT_TRUE(source.context().error()->code == Errc::cancelled);
}

TEST(Context, TheEarliestOfManyTighteningsWins) {
  const auto now = Clock::now();
  for (int round = 0; round < 200; ++round) {
    auto source = with_cancel(Context::background());
    std::latch start(4);
    auto tighten = [&](int hours) {
      start.arrive_and_wait();
      source.tighten(now + hours * 1h);
    };
    {
      std::jthread a(tighten, 1 + round % 2);
      std::jthread b(tighten, 2 - round % 2);
      std::jthread c(tighten, 3);
      start.arrive_and_wait();
      EXPECT_NE(source.context().deadline(), now);
    }
    ASSERT_EQ(source.context().deadline(), now + 1h);
  }
}

TEST(Context, TighteningRacesCancellingAndTheLastHandle) {
  for (int round = 0; round < 150; ++round) {
    auto source = std::make_optional(with_cancel(Context::background()));
    const Context context = source->context();
    std::latch start(3);
    {
      std::jthread tightener([&] {
        start.arrive_and_wait();
        source->tighten(Clock::now() + 20us);
        source->tighten(Clock::now() + 1us);
      });
      std::jthread canceller([&] {
        start.arrive_and_wait();
        source->cancel();
      });
      start.arrive_and_wait();
    }
    source.reset();
    EXPECT_TRUE(context.done());
  }
  EXPECT_EQ(detail::Timer::instance().pending(), 0U);
}

TEST(Timer, FiresInOrderOfTimeAndAnEarlierEntryOvertakes) {
  auto& timer = detail::Timer::instance();
  std::mutex mutex;
  std::vector<int> order;
  auto note = [&](int i) {
    return [&, i] {
      const std::lock_guard lock(mutex);
      order.push_back(i);
    };
  };
  const auto now = Clock::now();
  timer.schedule(now + 60ms, note(3));
  timer.schedule(now + 40ms, note(2));
  timer.schedule(now + 20ms, note(1));
  ASSERT_TRUE(eventually([&] {
    const std::lock_guard lock(mutex);
    return order.size() == 3;
  }));
  EXPECT_EQ(order, (std::vector{1, 2, 3}));
}

TEST(Timer, ACancelledEntryNeverFires) {
  auto& timer = detail::Timer::instance();
  std::atomic<bool> fired{false};
  std::atomic<bool> later{false};
  const auto id = timer.schedule(Clock::now() + 1h, [&] { fired = true; });
  timer.cancel(id);
  timer.schedule(Clock::now(), [&] { later = true; });
  EXPECT_TRUE(eventually([&] { return later.load(); }));
  EXPECT_FALSE(fired);
  EXPECT_EQ(timer.pending(), 0U);
}

TEST(Timer, AnEntryMayScheduleTheNext) {
  auto& timer = detail::Timer::instance();
  std::atomic<int> count{0};
  timer.schedule(Clock::now(), [&] {
    ++count;
    timer.schedule(Clock::now(), [&] { ++count; });
  });
  EXPECT_TRUE(eventually([&] { return count == 2; }));
}

}  // namespace
}  // namespace futures
