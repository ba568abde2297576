// Task 13: what it does, one thing at a time.
#pragma once

#include <concepts>
#include <utility>

#include "suite_support.hpp"

namespace deadline_suite {

// The types of the contract: a value of any other could compare equal to whatever is expected.
static_assert(
    requires(DeadlineFuture<int>& future, const Context& context) {
      { future.await(context) } -> std::same_as<Result<int>>;
    }, "await() returns a Result<T>");
static_assert(
    requires(DeadlineFuture<int>& future) {
      { std::as_const(future).deadline() } -> std::same_as<std::optional<Clock::time_point>>;
    }, "deadline() returns a std::optional<Clock::time_point>");
static_assert(
    requires(Fn<Result<int>(const Context&)>& fn) {
      { futures::go_with_deadline<int>(std::move(fn)) } -> std::same_as<DeadlineFuture<int>>;
    }, "go_with_deadline<T>() returns a DeadlineFuture<T>");

// A value that asks no more of a future than to be moved and copied.
struct Plain {
  explicit Plain(std::string t) : text(std::move(t)) {}
  std::string text;
};

TEST(Basic, TheValueArrivesForEverybodyWhoAsks) {
  const std::string text =
      "long enough to live on the heap, where a value that was moved out shows";
  auto future =
      go_with_deadline<Plain>([text](const Context&) -> Result<Plain> { return Plain(text); });
  auto copy = future;
  for (auto* handle : {&future, &copy, &future}) {
    const auto result = handle->await(forever);
    ASSERT_TRUE(result.has_value()) << result.error().message;
    EXPECT_EQ(result->text, text) << "each await gets a copy: another one may follow";
  }
}

TEST(Basic, AnErrorArrivesAsItIs) {
  for (const Error& error : workbook::errors_of_all_kinds()) {
    auto future = go_with_deadline<std::string>(
        [error](const Context&) -> Result<std::string> { return std::unexpected(error); });
    for (int i = 0; i < 2; ++i) {
      const auto result = future.await(forever);
      ASSERT_FALSE(result.has_value()) << show(result);
      EXPECT_EQ(result.error(), error);
    }
  }
}

TEST(Basic, AnyExceptionBecomesAnError) {
  auto standard = go_with_deadline<int>(
      [](const Context&) -> Result<int> { throw std::runtime_error("the disk is on fire"); });
  const auto result = standard.await(forever);
  EXPECT_EQ(show(result), "error exception");
  if (!result) {
    EXPECT_EQ(result.error().message, "the disk is on fire");
  }
  auto anything = go_with_deadline<int>([](const Context&) -> Result<int> { throw 42; });
  EXPECT_EQ(show(anything.await(forever)), "error exception")
      << "an int was thrown: catch what is no std::exception, too";
}

TEST(Basic, FnBeginsAtOnceAndNobodyWaitsForIt) {
  Deaf deaf;  // returned, although fn has not
  EXPECT_TRUE(deaf.seen->begun.wait_for())
      << "fn begins with go_with_deadline(), not when somebody awaits";
  deaf.may_end->open();
  EXPECT_EQ(show(deaf.future.await(forever)), "value 7");
}

TEST(Basic, ThereIsNoDeadlineUntilAnAwaitBringsOne) {
  Sleeper sleeper;
  EXPECT_EQ(sleeper.future.deadline(), std::nullopt);
  EXPECT_EQ(show(sleeper.future.await(ended())), "error cancelled");
  EXPECT_EQ(sleeper.future.deadline(), std::nullopt)
      << "an await without a deadline changes nothing";
  const auto later = Clock::now() + 1h;
  Awaiter awaiter(sleeper.future, with_deadline(forever, later));
  EXPECT_TRUE(comes_to(sleeper.future, later)) << "somebody awaits now, and brings one";
  EXPECT_FALSE(sleeper.seen->context_has_ended()) << "there is an hour left";
  sleeper.future.cancel();
}

TEST(Basic, OnlyAnEarlierDeadlineChangesAnything) {
  Sleeper sleeper;
  const auto start = Clock::now();
  const auto stays = [&](Clock::time_point deadline) {
    return testing::AssertionResult(sleeper.future.deadline() == deadline)
           << "the deadline in force is " << say(sleeper.future.deadline(), start);
  };
  tighten(sleeper.future, start + 3h);
  EXPECT_TRUE(stays(start + 3h)) << "an awaiter that leaves does not take its deadline with it";
  tighten(sleeper.future, start + 2h);
  {
    // Whether it looks at the deadline or not, it has done so when it has left.
    Awaiter patient(sleeper.future, with_deadline(forever, start + 4h));
    EXPECT_EQ(patient.leave(), "error cancelled");
  }
  EXPECT_TRUE(stays(start + 2h)) << "somebody who would wait longer changes nothing";
  EXPECT_EQ(show(sleeper.future.await(ended())), "error cancelled");
  EXPECT_TRUE(stays(start + 2h)) << "somebody without a deadline changes nothing";
  tighten(sleeper.future, start + 1h);
  EXPECT_FALSE(sleeper.seen->context_has_ended()) << "there is still an hour left";
  sleeper.future.cancel();
}

TEST(Basic, TheContextOfFnTellsTheDeadlineInForce) {
  Sleeper sleeper;
  sleeper.seen->begun.wait();
  const Context& fns = *sleeper.seen->context;
  const auto start = Clock::now();
  EXPECT_EQ(fns.deadline(), std::nullopt);
  tighten(sleeper.future, start + 2h);
  EXPECT_TRUE(fns.deadline() == start + 2h)
      << "an awaiter has brought a deadline in two hours; fn's context tells "
      << say(fns.deadline(), start) << ". fn plans its work by that: it has to know midway";
  tighten(sleeper.future, start + 1h);
  EXPECT_TRUE(fns.deadline() == start + 1h)
      << "now it is one hour; fn's context tells " << say(fns.deadline(), start);
  sleeper.future.cancel();
}

TEST(Basic, TheSleepOfFnEndsAtTheDeadline) {
  Sleeper sleeper;
  sleeper.seen->begun.wait();
  const auto deadline = Clock::now() + soon;
  const auto hurried = with_deadline(forever, deadline);
  EXPECT_EQ(show(sleeper.future.await(hurried.context())), "error deadline exceeded");
  EXPECT_EQ(sleeper.seen->ended_by(), "deadline exceeded")
      << "an awaiter's deadline has passed in the middle of fn's work: fn's context has to end, "
         "and "
         "to say why";
  EXPECT_GE(sleeper.seen->when, deadline) << "fn was ended before anybody's deadline";
  EXPECT_EQ(show(sleeper.future.await(forever)), "error deadline exceeded")
      << "this is what fn returned";
}

TEST(Basic, ADeadlineInForceIsReplacedByAnEarlierOne) {
  Sleeper sleeper;
  tighten(sleeper.future, Clock::now() + 1h);
  const auto hurried = with_timeout(forever, soon);
  EXPECT_EQ(show(sleeper.future.await(hurried.context())), "error deadline exceeded");
  EXPECT_EQ(sleeper.seen->ended_by(), "deadline exceeded")
      << "the first awaiter had an hour, the second one a moment";
}

TEST(Basic, ADeadlineThatHasPassedEndsFnAtOnce) {
  Sleeper sleeper;
  const auto late = with_deadline(forever, Clock::now() - 1s);
  EXPECT_EQ(show(sleeper.future.await(late.context())), "error deadline exceeded");
  EXPECT_EQ(sleeper.seen->ended_by(), "deadline exceeded")
      << "the awaiter's deadline had passed before it came. That is earlier than no deadline";
}

TEST(Basic, AnAwaiterObeysItsOwnContextAndFnDecidesTheOutcome) {
  Deaf deaf;
  EXPECT_EQ(Awaiter(deaf.future, with_deadline(forever, Clock::now() + 1h)).leave(),
            "error cancelled")
      << "it had an hour left, but it was cancelled";
  const auto hurried = with_timeout(forever, soon);
  EXPECT_EQ(show(deaf.future.await(hurried.context())), "error deadline exceeded")
      << "fn does not care that its context has ended; its awaiter must not wait for it";
  EXPECT_EQ(show(deaf.future.await(ended())), "error cancelled")
      << "each awaiter gets the error of its own context, not of fn's";
  Awaiter patient(deaf.future, with_cancel(forever));
  deaf.may_end->open();
  EXPECT_EQ(patient.result(), "value 7")
      << "fn has returned a value, if late: the end of its context is not an outcome";
  EXPECT_EQ(show(deaf.future.await(forever)), "value 7");
}

TEST(Basic, AnOutcomeThatIsThereBeatsAnEndedContext) {
  auto future = go_with_deadline<int>([](const Context&) -> Result<int> { return 7; });
  EXPECT_EQ(show(future.await(forever)), "value 7");
  auto failed = go_with_deadline<int>(
      [](const Context&) -> Result<int> { return std::unexpected(Error{Errc::not_found, "it"}); });
  EXPECT_EQ(show(failed.await(forever)), "error not found");
  const auto late = with_deadline(forever, Clock::now() - 1s);
  for (int i = 0; i < 50; ++i) {  // a coin toss would show
    ASSERT_EQ(show(future.await(ended())), "value 7")
        << "look for the outcome first, and only then at the context";
    ASSERT_EQ(show(future.await(late.context())), "value 7");
    ASSERT_EQ(show(failed.await(ended())), "error not found") << "an error is an outcome as well";
  }
}

TEST(Basic, CancelEndsTheContextOfFnAndSettlesNothing) {
  Sleeper sleeper;
  sleeper.future.cancel();
  EXPECT_EQ(sleeper.seen->ended_by(), "cancelled");
  EXPECT_EQ(show(sleeper.future.await(forever)), "error cancelled") << "this is what fn returned";

  Deaf deaf;
  deaf.seen->begun.wait();
  deaf.future.cancel();
  EXPECT_TRUE(workbook::eventually([&] { return deaf.seen->context_has_ended(); }));
  deaf.may_end->open();
  EXPECT_EQ(show(deaf.future.await(forever)), "value 7")
      << "fn was asked to stop, and had its value ready: that is the outcome";
  deaf.future.cancel();
  EXPECT_EQ(show(deaf.future.await(forever)), "value 7") << "cancel() came too late";
}

TEST(Basic, WhatFnSaysOnceItWasStoppedIsTheOutcome) {
  const Error half_way{Errc::invalid_argument, "half of it is done, resume at 17"};
  const auto start = [&half_way] {
    return go_with_deadline<int>([half_way](const Context& ctx) -> Result<int> {
      ctx.sleep_for(1h);
      return std::unexpected(half_way);
    });
  };
  auto stopped = start();
  stopped.cancel();
  auto late = start();
  const auto passed = with_deadline(forever, Clock::now() - 1s);
  EXPECT_FALSE(late.await(passed.context()).has_value());
  for (auto* future : {&stopped, &late}) {
    const auto result = future->await(forever);
    ASSERT_FALSE(result.has_value()) << show(result);
    EXPECT_EQ(result.error(), half_way)
        << "fn was asked to stop, and said what came of it: the end of its context is no outcome";
  }
}

TEST(Basic, EachFutureHasADeadlineOfItsOwn) {
  Sleeper one;
  Sleeper other;
  tighten(one.future, Clock::now() + 1h);
  EXPECT_EQ(other.future.deadline(), std::nullopt);
  const auto late = with_deadline(forever, Clock::now() - 1s);
  EXPECT_EQ(show(other.future.await(late.context())), "error deadline exceeded");
  EXPECT_EQ(other.seen->ended_by(), "deadline exceeded");
  EXPECT_FALSE(one.seen->context_has_ended());
  one.future.cancel();
}

}  // namespace deadline_suite
