// Task 6: small races, for the schedule explorer to try in every order.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <thread>

#include "lazy.hpp"
#include "suite_support.hpp"

namespace lazy_suite {

using namespace futures;  // these files are parts of one suite, nobody else includes them

template <class LazyT>
void two_first_awaiters() {
  std::atomic<int> runs = 0;
  LazyT lazy([&](const Context&) -> Result<int> { return ++runs; });
  std::jthread other([&] {
    const auto result = lazy.await(Context::background());
    EXPECT_TRUE(result == Result<int>(1)) << "the other awaiter got " << describe(result);
  });
  const auto result = lazy.await(Context::background());
  EXPECT_TRUE(result == Result<int>(1)) << "this awaiter got " << describe(result);
}

TEST(Explored, TwoFirstAwaitersOfALazyShareOneRun) { two_first_awaiters<Lazy<int>>(); }
TEST(Explored, TwoFirstAwaitersOfARetryLazyShareOneRun) { two_first_awaiters<RetryLazy<int>>(); }

TEST(Explored, ACancellationRacesTheOutcomeOfALazy) {
  CancelSource source = with_cancel(Context::background());
  Lazy<int> lazy([](const Context&) -> Result<int> { return 7; });
  std::jthread canceller([&] { source.cancel(); });
  const auto result = lazy.await(source.context());
  EXPECT_TRUE(result == Result<int>(7) || code_of(result) == Errc::cancelled) << describe(result);
  const auto later = lazy.await(Context::background());
  EXPECT_TRUE(later == Result<int>(7))
      << "somebody's cancellation became everybody's outcome: " << describe(later);
}

template <class LazyT>
void it_may_go_away_after_await() {
  auto lazy = std::make_unique<LazyT>([](const Context&) -> Result<int> { return 7; });
  const auto result = lazy->await(Context::background());
  EXPECT_TRUE(result == Result<int>(7)) << describe(result);
  lazy.reset();  // fn's thread may still be on its way out
}

TEST(Explored, ALazyMayGoAwayAsSoonAsAwaitReturned) { it_may_go_away_after_await<Lazy<int>>(); }
TEST(Explored, ARetryLazyMayGoAwayAsSoonAsAwaitReturned) {
  it_may_go_away_after_await<RetryLazy<int>>();
}

template <class LazyT>
void it_may_go_away_after_a_cancelled_await() {
  auto source = std::make_unique<CancelSource>(with_cancel(Context::background()));
  auto lazy =
      std::make_unique<LazyT>([](const Context& ctx) -> Result<int> { return ctx.done() ? 7 : 8; });
  {
    std::jthread canceller([&] { source->cancel(); });
    const auto result = lazy->await(source->context());
    EXPECT_TRUE(result.has_value() || code_of(result) == Errc::cancelled) << describe(result);
  }
  source.reset();  // fn may be anywhere: not begun, at work, or done
  lazy.reset();
}

TEST(Explored, ALazyMayGoAwayWhereverFnIs) { it_may_go_away_after_a_cancelled_await<Lazy<int>>(); }
TEST(Explored, ARetryLazyMayGoAwayWhereverFnIs) {
  it_may_go_away_after_a_cancelled_await<RetryLazy<int>>();
}

TEST(Explored, ARetryLazyTriesAgainRightAfterAFailure) {
  int runs = 0;
  RetryLazy<int> lazy([&](const Context&) -> Result<int> {
    if (++runs == 1) return std::unexpected(Error{Errc::unavailable, "attempt 1"});
    return runs;
  });
  EXPECT_EQ(code_of(lazy.await(Context::background())), Errc::unavailable);
  const auto next = lazy.await(Context::background());
  EXPECT_TRUE(next == Result<int>(2)) << "attempt 1 had been seen to fail, and the next await got "
                                      << describe(next) << " instead of the outcome of attempt 2";
}

TEST(Explored, SharersOfAFailedAttemptGetItsErrorOrTakeOver) {
  int runs = 0;  // attempts never overlap here, so this needs no protection
  RetryLazy<int> lazy([&](const Context&) -> Result<int> {
    if (++runs == 1) return std::unexpected(Error{Errc::unavailable, "attempt 1"});
    return runs;
  });
  const auto ask = [&] {
    const auto result = lazy.await(Context::background());
    EXPECT_TRUE(result == Result<int>(2) || code_of(result) == Errc::unavailable)
        << "an awaiter got " << describe(result);
  };
  std::jthread other(ask);
  ask();
}

TEST(Explored, SharersOfACancelledAttemptGetItsErrorOrTakeOver) {
  CancelSource source = with_cancel(Context::background());
  RetryLazy<int> lazy([](const Context& ctx) -> Result<int> {
    if (ctx.done()) return std::unexpected(*ctx.error());
    return 7;
  });
  {
    std::jthread impatient([&] {
      const auto result = lazy.await(source.context());
      EXPECT_TRUE(result == Result<int>(7) || code_of(result) == Errc::cancelled)
          << "the impatient awaiter got " << describe(result);
    });
    std::jthread canceller([&] { source.cancel(); });
    const auto result = lazy.await(Context::background());
    EXPECT_TRUE(result == Result<int>(7) || code_of(result) == Errc::cancelled)
        << "the patient awaiter got " << describe(result) << ", which no attempt produced";
  }
  const auto later = lazy.await(Context::background());
  EXPECT_TRUE(later == Result<int>(7))
      << "every attempt is over and nobody is cancelled, but there is only " << describe(later);
}

}  // namespace lazy_suite
