// Task 6: awaiters that leave, lazies that go away, and the same under every schedule.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <type_traits>
#include <utility>

#include "lazy.hpp"
#include "suite_support.hpp"

namespace lazy_suite {

using namespace futures;  // these files are parts of one suite, nobody else includes them
using namespace std::chrono_literals;

// The value, for somebody who has all the time in the world. A RetryLazy may first report the end
// of an attempt that was cancelled, so it is asked again.
template <class LazyT>
Result<Report> patient_await(LazyT& lazy) {
  auto result = lazy.await(Context::background());
  if constexpr (std::is_same_v<LazyT, RetryLazy<Report>>) {
    for (int i = 0; i < 3 && !result; ++i) result = lazy.await(Context::background());
  }
  return result;
}

template <class LazyT>
void impatient_awaiters_leave() {
  Busy<LazyT> busy;
  CancelSource first = with_cancel(Context::background());
  {
    std::jthread canceller([&] {
      busy.entered->wait();
      first.cancel();
    });
    const auto result = busy.lazy->await(first.context());
    EXPECT_EQ(code_of(result), Errc::cancelled)
        << "fn is still at work, the first awaiter's context was cancelled, it got "
        << describe(result);
  }
  const CancelSource second = with_timeout(Context::background(), 1ms);
  const auto result = busy.lazy->await(second.context());
  EXPECT_EQ(code_of(result), Errc::deadline_exceeded)
      << "fn is still at work, the second awaiter's deadline passed, it got " << describe(result);
  EXPECT_FALSE(busy.ended->is_open()) << "no await returned before fn did";

  busy.may_end->open();
  const auto third = patient_await(*busy.lazy);
  EXPECT_TRUE(is_the_report(third))
      << "two awaiters had left; the one who stayed got " << describe(third);
}

// Whenever the captures go: the destructor of one is somebody else's code, and may take its time.
template <class LazyT>
void awaiters_leave_while_captures_are_destroyed() {
  const auto fn = [](const Context&) -> Result<Report> { return Report(long_text); };
  (void)LazyT(fn).await(Context::background());  // what is not implemented yet is thrown here
  const auto dying = std::make_shared<workbook::Gate>();
  const auto may_go = std::make_shared<workbook::Gate>();
  std::shared_ptr<void> capture(nullptr, [dying, may_go](void*) {
    dying->open();
    may_go->wait();
  });
  LazyT lazy([capture = std::move(capture)](const Context&) -> Result<Report> {
    return Report(long_text);
  });
  std::jthread hurried([&] {
    dying->wait();
    const CancelSource source = with_timeout(Context::background(), 1ms);
    (void)lazy.await(source.context());
    may_go->open();
  });
  const auto result = patient_await(lazy);
  EXPECT_TRUE(is_the_report(result)) << describe(result);
  dying->open();  // or the captures stay until the object goes
}

TEST(Lifecycle, AwaitersOfALazyLeaveWhileCapturesAreDestroyed) {
  awaiters_leave_while_captures_are_destroyed<Lazy<Report>>();
}

TEST(Lifecycle, AwaitersOfARetryLazyLeaveWhileCapturesAreDestroyed) {
  awaiters_leave_while_captures_are_destroyed<RetryLazy<Report>>();
}

TEST(Lifecycle, ImpatientAwaitersOfALazyLeaveWhileFnIsStillAtWork) {
  impatient_awaiters_leave<Lazy<Report>>();
}
TEST(Lifecycle, ImpatientAwaitersOfARetryLazyLeaveWhileFnIsStillAtWork) {
  impatient_awaiters_leave<RetryLazy<Report>>();
}

template <class LazyT>
void a_reason_is_not_forgotten_when_the_deadline_passes_too() {
  Busy<LazyT> busy;
  const std::jthread patient([&] { static_cast<void>(busy.lazy->await(Context::background())); });
  busy.entered->wait();
  const Error why{Errc::closed, "the shop is closed"};
  const auto result = busy.lazy->await(workbook::ended_before_its_deadline(why));
  busy.may_end->open();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), why) << "a context ends once, and for one reason";
}

TEST(Lifecycle, ALazyDoesNotForgetAReasonWhenTheDeadlinePassesToo) {
  a_reason_is_not_forgotten_when_the_deadline_passes_too<Lazy<Report>>();
}
TEST(Lifecycle, ARetryLazyDoesNotForgetAReasonWhenTheDeadlinePassesToo) {
  a_reason_is_not_forgotten_when_the_deadline_passes_too<RetryLazy<Report>>();
}

template <class LazyT>
void it_is_told_why_its_context_ended() {
  Busy<LazyT> busy;
  const Error why{Errc::unavailable, "the user has closed the page"};
  CancelSource source = with_cancel(Context::background());
  std::jthread canceller([&] {
    busy.entered->wait();
    source.cancel(why);
  });
  const auto result = busy.lazy->await(source.context());
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error(), why) << "whoever cancelled has said why, and await knows better?";
}

TEST(Lifecycle, AnAwaiterIsToldWhyItsContextEnded) {
  it_is_told_why_its_context_ended<Lazy<Report>>();
  it_is_told_why_its_context_ended<RetryLazy<Report>>();
}

// Whatever cancels fn's context, if anybody does, runs its stop callbacks: with no lock of the
// lazy.
template <class LazyT>
void stop_callbacks_of_fn_may_use_it() {
  struct State {
    std::atomic<bool> asked{false};
    workbook::Gate entered;
    workbook::Gate may_end;
    workbook::Gate ended;
    std::unique_ptr<LazyT> lazy;
  };
  const std::size_t threads = workbook::live_threads();
  auto state = std::make_shared<State>();
  state->lazy = std::make_unique<LazyT>([weak = state.get()](const Context& ctx) -> Result<int> {
    const std::stop_callback clean_up(ctx.stop_token(), [weak] {
      if (!weak->asked.exchange(true)) (void)weak->lazy->await(workbook::ended());
    });
    weak->entered.open();
    weak->may_end.wait();
    return 7;
  });
  CancelSource source = with_cancel(Context::background());
  {
    std::jthread canceller([&] {
      state->entered.wait();
      source.cancel();
    });
    EXPECT_EQ(code_of(state->lazy->await(source.context())), Errc::cancelled);
  }
  state->may_end.open();
  auto result = state->lazy->await(Context::background());
  for (int i = 0; i < 3 && !result; ++i) result = state->lazy->await(Context::background());
  EXPECT_TRUE(result == Result<int>(7)) << describe(result);
  EXPECT_TRUE(workbook::eventually([&] { return workbook::live_threads() <= threads; }));
}

TEST(Lifecycle, StopCallbacksOfFnMayUseTheLazy) {
  stop_callbacks_of_fn_may_use_it<Lazy<int>>();
  stop_callbacks_of_fn_may_use_it<RetryLazy<int>>();
}

template <class LazyT>
void an_ended_context_spoils_nothing() {
  Busy<LazyT> busy;
  CancelSource source = with_cancel(Context::background());
  source.cancel();
  const auto early = busy.lazy->await(source.context());
  EXPECT_EQ(code_of(early), Errc::cancelled)
      << "there is no value yet and the context has ended; await returned " << describe(early);
  busy.may_end->open();
  const auto late = patient_await(*busy.lazy);
  EXPECT_TRUE(is_the_report(late))
      << "somebody else's context had ended before; this awaiter's has not, and it got "
      << describe(late);
}

TEST(Lifecycle, AnAwaiterWhoseContextHasEndedSpoilsNothingForTheNext) {
  an_ended_context_spoils_nothing<Lazy<Report>>();
  an_ended_context_spoils_nothing<RetryLazy<Report>>();
}

TEST(Lifecycle, TheFirstAwaiterOfALazyLeavesAndTheOthersStillGetTheValue) {
  Busy<Lazy<Report>> busy;
  CancelSource source = with_cancel(Context::background());
  std::optional<Result<Report>> first;
  std::optional<Result<Report>> other;
  {
    std::jthread starter([&] { first = busy.lazy->await(source.context()); });
    busy.entered->wait();
    std::jthread joiner([&] { other = busy.lazy->await(Context::background()); });
    source.cancel();
    starter.join();
    busy.may_end->open();
  }
  EXPECT_EQ(code_of(*first), Errc::cancelled) << "the one who left got " << describe(*first);
  EXPECT_TRUE(is_the_report(*other)) << "the one who stayed got " << describe(*other);
  EXPECT_EQ(*busy.runs, 1) << "fn ran again";
}

// A LazyT whose fn fails when its only awaiter has left. A second run of fn would succeed.
template <class LazyT>
struct FailsAlone {
  FailsAlone() {
    CancelSource source = with_cancel(Context::background());
    std::jthread canceller([&] {
      entered->wait();
      source.cancel();
    });
    EXPECT_EQ(code_of(lazy.await(source.context())), Errc::cancelled);
    may_fail->open();
  }

  // Shared with fn, which may still be running when the test is over.
  std::shared_ptr<workbook::Gate> entered = std::make_shared<workbook::Gate>();
  std::shared_ptr<workbook::Gate> may_fail = std::make_shared<workbook::Gate>();
  std::shared_ptr<workbook::Gate> thread_ends = std::make_shared<workbook::Gate>();
  std::shared_ptr<std::atomic<int>> runs = std::make_shared<std::atomic<int>>(0);
  LazyT lazy{[entered = entered, may_fail = may_fail, thread_ends = thread_ends,
              runs = runs](const Context&) -> Result<Report> {
    if (++*runs > 1) return Report(long_text);
    thread_local workbook::LastWords at_the_end_of_the_thread;
    at_the_end_of_the_thread = workbook::LastWords([thread_ends] { thread_ends->open(); });
    entered->open();
    may_fail->wait();
    return std::unexpected(Error{Errc::unavailable, "attempt 1"});
  }};
};

TEST(Lifecycle, AFailedAttemptThatEverybodyLeftIsNotRemembered) {
  const std::size_t threads = workbook::live_threads();
  FailsAlone<RetryLazy<Report>> scene;
  // When its thread has gone, the attempt is over. Where that thread stays for other work, the
  // first of these may still join attempt 1; whoever comes after its end may not.
  const bool over = workbook::eventually(
      [&] { return scene.thread_ends->is_open() && workbook::live_threads() <= threads; }, 2s);
  auto result = scene.lazy.await(Context::background());
  if (!result && !over) result = scene.lazy.await(Context::background());
  EXPECT_TRUE(is_the_report(result))
      << "the one who started attempt 1 left before it failed; those who came later got "
      << describe(result) << ": who forgets an attempt when its starter is gone?";
}

TEST(Lifecycle, ALazyKeepsAFailureThatNobodyWaitedFor) {
  const std::size_t threads = workbook::live_threads();
  FailsAlone<Lazy<Report>> scene;
  // Not needed: whoever joins fn gets its outcome as well.
  (void)workbook::eventually([&] { return workbook::live_threads() <= threads; }, 100ms);
  EXPECT_EQ(code_of(scene.lazy.await(Context::background())), Errc::unavailable);
  EXPECT_EQ(*scene.runs, 1) << "the first outcome is the outcome, whether or not anybody was there";
}

template <class LazyT>
void it_may_go_away_while_fn_runs() {
  {
    Busy<LazyT> busy;
    {
      CancelSource source = with_cancel(Context::background());
      std::jthread canceller([&] {
        busy.entered->wait();
        source.cancel();
      });
      EXPECT_FALSE(busy.lazy->await(source.context()).has_value());
    }
    // A destructor may return at once or wait for fn: fn ends after the one or during the other.
    workbook::Gate destroyed;
    std::jthread opener([&] {
      static_cast<void>(destroyed.wait_for(20ms));
      busy.may_end->open();
    });
    busy.lazy.reset();
    destroyed.open();
    busy.ended->wait();
  }
  EXPECT_TRUE(workbook::eventually([] { return workbook::Tracked::live() == 0; }))
      << "fn has ended and nobody can await any more, but what fn captured is still there";
}

TEST(Lifecycle, ALazyMayGoAwayWhileFnRuns) { it_may_go_away_while_fn_runs<Lazy<Report>>(); }
TEST(Lifecycle, ARetryLazyMayGoAwayWhileFnRuns) {
  it_may_go_away_while_fn_runs<RetryLazy<Report>>();
}

template <class LazyT>
void nobody_asks() {
  {
    const Busy<LazyT> busy;
  }
  EXPECT_EQ(workbook::Tracked::live(), 0) << "what fn captured is still there";
}

TEST(Lifecycle, WhatNobodyAwaitsNeverRunsAndLeavesNothingBehind) {
  nobody_asks<Lazy<Report>>();
  nobody_asks<RetryLazy<Report>>();
}

// Its copy constructor throws when told to: awaiters copy the result, and one who fails to must not
// take a lock, or the value, with them.
struct Brittle {
  explicit Brittle(std::shared_ptr<std::atomic<bool>> f) : fragile(std::move(f)) {}
  Brittle(const Brittle& other) : fragile(other.fragile) {
    if (*fragile) throw std::runtime_error("this copy broke");
  }
  Brittle(Brittle&&) noexcept = default;
  Brittle& operator=(const Brittle&) = default;
  Brittle& operator=(Brittle&&) noexcept = default;
  ~Brittle() = default;
  std::shared_ptr<std::atomic<bool>> fragile;
};

template <class LazyT>
void a_broken_copy_spoils_nothing() {
  auto fragile = std::make_shared<std::atomic<bool>>(false);
  LazyT lazy([fragile](const Context&) -> Result<Brittle> { return Brittle(fragile); });
  EXPECT_TRUE(lazy.await(Context::background()).has_value());
  *fragile = true;
  try {
    EXPECT_FALSE(lazy.await(Context::background()).has_value());
  } catch (const std::runtime_error&) {
    // As good as an Error: the contract does not say which.
  }
  *fragile = false;
  EXPECT_TRUE(lazy.await(Context::background()).has_value());
}

TEST(Lifecycle, AnAwaiterWhoseCopyThrowsSpoilsNothingForTheNext) {
  a_broken_copy_spoils_nothing<Lazy<Brittle>>();
  a_broken_copy_spoils_nothing<RetryLazy<Brittle>>();
}

}  // namespace lazy_suite
