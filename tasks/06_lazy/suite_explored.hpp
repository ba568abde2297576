// Task 6: small races, for the schedule explorer to try in every order.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>

#include "lazy.hpp"
#include "suite_support.hpp"

namespace lazy_suite {

using namespace futures;  // these files are parts of one suite, nobody else includes them
using namespace std::chrono_literals;

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
void a_value_is_there_for_many_at_once() {
  CancelSource source = with_cancel(Context::background());
  LazyT lazy([](const Context&) -> Result<int> { return 7; });
  ASSERT_TRUE(lazy.await(Context::background()).has_value());
  source.cancel();
  const auto await = [&] {
    const auto result = lazy.await(source.context());
    EXPECT_TRUE(result == Result<int>(7))
        << describe(result) << ": "
        << "it was there before; that somebody else is being served makes it no less so";
  };
  std::jthread other(await);
  await();
}

TEST(Explored, AValueOfALazyIsThereForManyAtOnce) {
  a_value_is_there_for_many_at_once<Lazy<int>>();
}
TEST(Explored, AValueOfARetryLazyIsThereForManyAtOnce) {
  a_value_is_there_for_many_at_once<RetryLazy<int>>();
}

template <class LazyT>
void an_awaiter_leaves_though_fn_is_deaf() {
  auto may_end = std::make_shared<workbook::Gate>();
  CancelSource source = with_cancel(Context::background());
  LazyT lazy([may_end](const Context&) -> Result<int> {
    may_end->wait();
    return 7;
  });
  std::jthread canceller([&] { source.cancel(); });
  const auto result = lazy.await(source.context());
  EXPECT_EQ(code_of(result), Errc::cancelled)
      << "fn is at work; await returned " << describe(result);
  const bool alone = workbook::stack_is_left_alone([&] {
    canceller.join();
    may_end->open();
    if (!lazy.await(Context::background())) (void)lazy.await(Context::background());
  });
  EXPECT_TRUE(alone) << "await has returned, and somebody still wrote to what it had on its stack";
}

TEST(Explored, AnAwaiterOfALazyLeavesThoughFnIsDeaf) {
  an_awaiter_leaves_though_fn_is_deaf<Lazy<int>>();
}
TEST(Explored, AnAwaiterOfARetryLazyLeavesThoughFnIsDeaf) {
  an_awaiter_leaves_though_fn_is_deaf<RetryLazy<int>>();
}

// Whoever looks at the clock may see the deadline pass before the context has been told.
template <class LazyT>
void a_deadline_that_passes_is_told_as_such() {
  auto may_end = std::make_shared<workbook::Gate>();
  LazyT lazy([may_end](const Context&) -> Result<int> {
    may_end->wait();
    return 7;
  });
  const CancelSource source = with_timeout(Context::background(), 10ms);
  const auto result = lazy.await(source.context());
  may_end->open();
  EXPECT_EQ(code_of(result), Errc::deadline_exceeded)
      << "fn is at work, the deadline has passed; await returned " << describe(result);
}

TEST(Explored, ADeadlineThatPassesBeforeALazyIsToldAsSuch) {
  a_deadline_that_passes_is_told_as_such<Lazy<int>>();
}
TEST(Explored, ADeadlineThatPassesBeforeARetryLazyIsToldAsSuch) {
  a_deadline_that_passes_is_told_as_such<RetryLazy<int>>();
}

TEST(Explored, TheEndOfAnAbandonedAttemptDoesNotDisturbTheNext) {
  struct Counts {
    std::atomic<int> started{0};
    std::atomic<int> at_work{0};
    workbook::Gate first_has_begun;
    workbook::Gate first_may_end;
    workbook::Gate others_may_end;
  };
  auto counts = std::make_shared<Counts>();
  RetryLazy<int> lazy([counts](const Context&) -> Result<int> {
    if (++counts->started == 1) {
      counts->first_has_begun.open();
      counts->first_may_end.wait();
      return std::unexpected(Error{Errc::unavailable, "nobody wants to know"});
    }
    EXPECT_EQ(++counts->at_work, 1)
        << "an attempt was started next to another one that somebody was waiting for";
    counts->others_may_end.wait();
    --counts->at_work;
    return 7;
  });
  // On the virtual clock: everybody comes as far as he can meanwhile.
  const auto let_them = [] {
    (void)Context::background().sleep_for(std::chrono::milliseconds(10));
  };
  CancelSource impatient = with_cancel(Context::background());
  {
    // Not before fn has begun: or the next attempt's could be the first to begin.
    std::jthread canceller([&] {
      counts->first_has_begun.wait();
      impatient.cancel();
    });
    EXPECT_EQ(code_of(lazy.await(impatient.context())), Errc::cancelled);
  }
  std::jthread second([&] { (void)lazy.await(Context::background()); });
  let_them();
  counts->first_may_end.open();
  let_them();
  std::jthread third([&] { (void)lazy.await(Context::background()); });
  let_them();
  counts->others_may_end.open();
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
  std::atomic<int> runs{0};  // an attempt may begin after another without having heard of it
  RetryLazy<int> lazy([&](const Context&) -> Result<int> {
    if (++runs == 1) return std::unexpected(Error{Errc::unavailable, "attempt 1"});
    return runs.load();
  });
  const auto ask = [&] {
    const auto result = lazy.await(Context::background());
    EXPECT_TRUE(result == Result<int>(2) || code_of(result) == Errc::unavailable)
        << "an awaiter got " << describe(result);
  };
  std::jthread other(ask);
  ask();
}

TEST(Explored, WhoHearsOfAFailureLateLeavesTheNextAttemptAlone) {
  std::atomic<int> runs{0};
  RetryLazy<int> lazy([&](const Context& ctx) -> Result<int> {
    const bool first = ++runs == 1;
    if (!ctx.sleep_for(1ms)) return std::unexpected(*ctx.error());  // until both are waiting
    if (first) return std::unexpected(Error{Errc::unavailable, "attempt 1"});
    return 7;
  });
  const auto ask = [&] {
    auto result = lazy.await(Context::background());
    if (code_of(result) == Errc::unavailable) result = lazy.await(Context::background());
    EXPECT_TRUE(result == Result<int>(7))
        << "nobody's context ends, attempt 2 succeeds, and who waited for it got "
        << describe(result);
  };
  std::jthread other(ask);
  ask();
}

TEST(Explored, WhoTakesAFailedAttemptOverMayStillLeave) {
  auto may_end = std::make_shared<workbook::Gate>();
  auto runs = std::make_shared<std::atomic<int>>(0);
  RetryLazy<int> lazy([may_end, runs](const Context&) -> Result<int> {
    if (++*runs == 1) return std::unexpected(Error{Errc::unavailable, "attempt 1"});
    may_end->wait();  // deaf
    return 7;
  });
  CancelSource source = with_cancel(Context::background());
  const auto ask = [&] {
    const auto result = lazy.await(source.context());
    EXPECT_TRUE(code_of(result) == Errc::unavailable || code_of(result) == Errc::cancelled)
        << "attempt 1 had failed, attempt 2 was at work, and an awaiter got " << describe(result);
  };
  {
    std::jthread one(ask);
    std::jthread other(ask);
    source.cancel();
  }  // whoever runs attempt 2 on an awaiter's own thread waits here for ever
  may_end->open();
  // Attempt 1 may still be under way. Nobody stays to make attempt 2 but who comes now.
  auto later = lazy.await(Context::background());
  if (!later) later = lazy.await(Context::background());
  EXPECT_TRUE(later == Result<int>(7)) << "both had left; who came then got " << describe(later);
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
