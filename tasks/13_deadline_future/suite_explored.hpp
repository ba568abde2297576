// Task 13: small races, for the schedule explorer to try in every order. Its clock moves when
// everybody waits, so that an hour is nothing, and "too late" is a fact.
#pragma once

#include <condition_variable>
#include <mutex>

#include "suite_support.hpp"

namespace deadline_suite {

// Works for a while, or until its context ends: 7, or the context's error. No gates, nothing
// shared: each costs schedules.
inline DeadlineFuture<int> start_worker(Clock::duration work) {
  return go_with_deadline<int>([work](const Context& ctx) -> Result<int> {
    if (ctx.sleep_for(work)) return 7;
    return std::unexpected(*ctx.error());
  });
}

// Waits for the end of its context, and for nothing else: no time that passes ends it.
inline DeadlineFuture<int> start_idler() {
  return go_with_deadline<int>([](const Context& ctx) -> Result<int> {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any().wait(lock, ctx.stop_token(), [] { return false; });
    return std::unexpected(*ctx.error());
  });
}

inline DeadlineFuture<int> start_quick_worker() {
  return go_with_deadline<int>([](const Context&) -> Result<int> { return 7; });
}

// Somebody comes with a deadline and leaves at once. It costs no timer of their own; whether such
// an await brings its deadline is not said. On a machine that is slow, fn may have ended meanwhile:
// at `earliest`, when another one has brought that.
inline void pass_by(DeadlineFuture<int>& future, Clock::time_point deadline,
                    Clock::time_point earliest) {
  static const Context nobody = ended();
  const auto source = with_deadline(nobody, deadline);
  const auto result = show(future.await(source.context()));
  const bool fn_may_be_late = Clock::now() >= earliest;
  EXPECT_TRUE(result == "error cancelled" || result == "value 7" ||
              (fn_may_be_late && result == "error deadline exceeded"))
      << result;
}

inline void pass_by(DeadlineFuture<int>& future, Clock::time_point deadline) {
  pass_by(future, deadline, deadline);
}

inline void let_all_begin() { (void)workbook::let_all_wait(soon / 2); }

inline bool no_timer_runs() {
  return workbook::eventually([] { return detail::Timer::instance().pending() == 0; });
}

TEST(Explored, AnAwaiterIsWoken) {
  auto future = start_quick_worker();
  EXPECT_EQ(show(future.await(forever)), "value 7");
}

TEST(Explored, TwoAwaitersAreWoken) {
  auto future = start_quick_worker();
  std::jthread other([&] { EXPECT_EQ(show(future.await(forever)), "value 7"); });
  EXPECT_EQ(show(future.await(forever)), "value 7");
}

TEST(Explored, AnAwaitEndsWithItsContext) {
  auto future = start_idler();
  let_all_begin();
  auto source = with_cancel(forever);
  std::jthread canceller([&] { source.cancel(); });
  EXPECT_EQ(show(future.await(source.context())), "error cancelled");
}

TEST(Explored, AnAwaiterThatHasLeftIsLeftAlone) {
  auto future = start_quick_worker();
  auto source = with_cancel(forever);
  std::jthread canceller([&] { source.cancel(); });
  (void)future.await(source.context());
  EXPECT_TRUE(workbook::stack_is_left_alone([&] {
    canceller.join();
    EXPECT_EQ(show(future.await(forever)), "value 7");
    let_all_begin();  // and end
  })) << "await has returned, and somebody still wrote to what it had on its stack";
}

TEST(Explored, AnOutcomeThatWasThereBeforeTheCancellationWins) {
  auto future = start_quick_worker();
  auto source = with_cancel(forever);
  std::jthread canceller([&] {
    EXPECT_EQ(show(future.await(forever)), "value 7");
    source.cancel();
  });
  EXPECT_EQ(show(future.await(source.context())), "value 7")
      << "the outcome was there before the context ended";
}

TEST(Explored, AnOutcomeIsThereForManyAtOnce) {
  auto future = start_quick_worker();
  ASSERT_EQ(show(future.await(forever)), "value 7");
  auto source = with_cancel(forever);
  source.cancel();
  const auto await = [handle = future, ended = source.context()]() mutable {
    EXPECT_EQ(show(handle.await(ended)), "value 7")
        << "it was there before; that somebody else is being served makes it no less so";
  };
  std::jthread other(await);
  EXPECT_EQ(show(future.await(source.context())), "value 7");
}

// The first thing an awaiter may do, while the last thing that has happened is go_with_deadline().
TEST(Explored, ADeadlineThatComesBeforeFnHasBegunIsKept) {
  auto future = start_worker(workbook::patience);
  const auto hurried = with_timeout(forever, soon);
  EXPECT_EQ(show(future.await(hurried.context())), "error deadline exceeded");
  EXPECT_EQ(show(future.await(forever)), "error deadline exceeded")
      << "fn has worked on after the only deadline there was";
}

TEST(Explored, TheEarlierOfTwoDeadlinesThatComeAtOnceWins) {
  auto future = start_worker(workbook::patience);
  let_all_begin();
  const auto early = Clock::now() + soon;
  {
    std::jthread other([&] { pass_by(future, early + 1h, early); });
    pass_by(future, early);
  }
  if (!future.deadline()) return;
  // On a slow machine fn may be over by now, and its deadline told no more.
  EXPECT_TRUE(workbook::eventually([&] { return future.deadline().value_or(early) == early; }))
      << "both deadlines came at once, and the later one has won. Is there a gap between 'is mine "
         "earlier?' and 'then it is the deadline'?";
  EXPECT_EQ(show(future.await(forever)), "error deadline exceeded")
      << "deadline() tells the earlier one, but fn has worked on after it: what is in the timer?";
}

TEST(Explored, ADeadlineIsReadWhileItComes) {
  auto future = start_idler();
  let_all_begin();
  const auto deadline = Clock::now() + 1h;
  std::jthread other([&] { pass_by(future, deadline); });
  const auto seen = future.deadline();
  EXPECT_TRUE(!seen || seen == deadline) << "nobody has ever brought that deadline";
}

TEST(Explored, ADeadlineThatMeetsTheEndOfFnLeavesNoTimer) {
  {
    auto future = start_quick_worker();
    pass_by(future, Clock::now() + 1h);
    EXPECT_EQ(show(future.await(forever)), "value 7");
  }
  EXPECT_TRUE(no_timer_runs())
      << "fn and await have returned, the handle is gone, and a timer still "
         "runs for an hour: the await has set it when fn was done, or "
         "nearly so";
}

TEST(Explored, ADeadlineThatMeetsACancelLeavesNoTimer) {
  {
    auto future = go_with_deadline<int>([](const Context&) -> Result<int> {
      std::this_thread::sleep_for(2 * soon);  // deaf, and out of the way
      return 7;
    });
    let_all_begin();
    {
      std::jthread canceller([&] { future.cancel(); });
      pass_by(future, Clock::now() + 1h);
    }
    EXPECT_EQ(show(future.await(forever)), "value 7");
  }
  EXPECT_TRUE(no_timer_runs()) << "fn was cancelled and has returned, the handle is gone, and a "
                                  "timer still runs for an hour";
}

TEST(Explored, FnEndsInTheMomentOfTheDeadline) {
  const auto moment = Clock::now() + 2 * soon;
  auto future = go_with_deadline<int>([moment](const Context&) -> Result<int> {
    std::this_thread::sleep_until(moment);
    return 7;
  });
  let_all_begin();
  {
    const auto hurried = with_deadline(forever, moment);
    const auto result = show(future.await(hurried.context()));
    EXPECT_TRUE(result == "value 7" || result == "error deadline exceeded") << result;
  }
  EXPECT_EQ(show(future.await(forever)), "value 7")
      << "fn returned 7: that is the outcome, whoever was told what before";
}

TEST(Explored, TheLastHandleGoesInTheMomentOfTheDeadline) {
  auto future = start_idler();
  let_all_begin();
  const auto hurried = with_timeout(forever, soon);
  EXPECT_EQ(show(future.await(hurried.context())), "error deadline exceeded");
}  // fn's context may be in the middle of ending

TEST(Explored, TheLastHandleGoesWhereverFnIs) {
  const auto future = start_quick_worker();
  EXPECT_EQ(future.deadline(), std::nullopt);
}  // not begun, at work, or done

TEST(Explored, TheAwaiterDropsTheLastHandleWhenItHasTheValue) {
  auto future = start_quick_worker();
  EXPECT_EQ(show(future.await(forever)), "value 7");
}  // fn's thread may still be on its way out

TEST(Explored, TwoHandlesThatGoAtOnceCancelFn) {
  enum Fate { at_work, has_slept, cancelled };
  const auto fate = std::make_shared<std::atomic<Fate>>(at_work);
  {
    auto one = std::make_optional(go_with_deadline<int>([fate](const Context& ctx) -> Result<int> {
      *fate = ctx.sleep_for(workbook::patience) ? has_slept : cancelled;
      return 7;
    }));
    auto other = one;
    let_all_begin();
    std::jthread thread([&] { other.reset(); });
    one.reset();
  }
  EXPECT_TRUE(workbook::eventually([&] { return *fate != at_work; }, 2 * workbook::patience));
  EXPECT_EQ(*fate, cancelled) << "two threads dropped a handle each, and neither was the last one";
}

TEST(Explored, AHandleThatGoesLeavesTheOtherOneItsFn) {
  auto one = std::make_optional(start_worker(2 * soon));
  auto other = *one;
  let_all_begin();
  std::jthread thread([&] { one.reset(); });
  EXPECT_EQ(show(other.await(forever)), "value 7") << "one of two handles was dropped";
}

}  // namespace deadline_suite
