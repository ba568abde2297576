// Task 13: who keeps whom at work, and what is left behind.
#pragma once

#include "suite_support.hpp"

namespace deadline_suite {

using workbook::Tracked;

TEST(Lifecycle, FnIsCancelledWhenTheLastHandleIsGone) {
  const auto seen = std::make_shared<Seen>();
  {
    const auto future = start_sleeper(seen);
    seen->begun.wait();
    EXPECT_FALSE(seen->context_has_ended()) << "there is still a handle";
  }
  EXPECT_EQ(seen->ended_by(), "cancelled")
      << "nobody can ask for the result any more, so nobody needs it. Does fn's own thread hold "
         "something that counts as a handle?";
}

TEST(Lifecycle, FnIsCancelledWhenItsHandleIsReplaced) {
  const auto old_one = std::make_shared<Seen>();
  const auto new_one = std::make_shared<Seen>();
  auto future = start_sleeper(old_one);
  future = start_sleeper(new_one);
  EXPECT_EQ(old_one->ended_by(), "cancelled");
  EXPECT_FALSE(new_one->context_has_ended());
  future.cancel();
  EXPECT_EQ(new_one->ended_by(), "cancelled");
}

TEST(Lifecycle, AnyHandleKeepsFnAtWork) {
  const auto seen = std::make_shared<Seen>();
  std::optional<DeadlineFuture<int>> last;
  {
    auto first = start_sleeper(seen);
    auto second = first;
    {
      const auto third = second;
      EXPECT_EQ(third.deadline(), std::nullopt);
    }
    auto moved = std::move(second);
    const auto& same = first;
    first = same;  // lets go of nothing
    last = moved;
  }
  EXPECT_FALSE(seen->context_has_ended()) << "four handles are gone, the fifth is not";
  const auto hurried = with_timeout(forever, soon);
  EXPECT_EQ(show(last->await(hurried.context())), "error deadline exceeded");
  EXPECT_EQ(seen->ended_by(), "deadline exceeded")
      << "if it was cancelled: a handle was gone, but it was not the last one";
}

TEST(Lifecycle, OneOfSeventyThousandHandlesKeepsFnAtWork) {
  Deaf deaf;
  deaf.seen->begun.wait();
  {
    const std::vector handles(70'000, deaf.future);
    EXPECT_EQ(handles.back().deadline(), std::nullopt);
  }
  EXPECT_FALSE(deaf.seen->context_has_ended())
      << "70,000 handles are gone, and one is not: are they counted in 16 bits?";
  deaf.may_end->open();
}

TEST(Lifecycle, AnAwaiterWithAHandleOfItsOwnKeepsFnAtWork) {
  Deaf deaf;
  deaf.seen->begun.wait();
  Awaiter awaiter(deaf.future, with_deadline(forever, Clock::now() + 1h));
  EXPECT_TRUE(workbook::eventually([&] { return deaf.future.deadline().has_value(); }));
  {
    auto others = go_with_deadline<int>([](const Context&) -> Result<int> { return 1; });
    std::swap(deaf.future, others);
  }  // only the awaiter's handle is left
  EXPECT_FALSE(deaf.seen->context_has_ended());
  deaf.may_end->open();
  EXPECT_EQ(awaiter.result(), "value 7");
}

TEST(Lifecycle, AnAwaiterThatIsCancelledTakesNobodyWithIt) {
  Sleeper sleeper;
  Awaiter stays(sleeper.future, with_cancel(forever));
  Awaiter leaves(sleeper.future, with_cancel(forever));
  EXPECT_EQ(leaves.leave(), "error cancelled");
  EXPECT_EQ(show(sleeper.future.await(ended())), "error cancelled");
  EXPECT_FALSE(sleeper.seen->context_has_ended())
      << "that somebody has lost interest is their own affair: there are others";
  const auto late = with_deadline(forever, Clock::now() - 1s);
  EXPECT_EQ(show(sleeper.future.await(late.context())), "error deadline exceeded");
  EXPECT_EQ(sleeper.seen->ended_by(), "deadline exceeded")
      << "if it was cancelled: an awaiter has passed its own cancellation on to fn";
  EXPECT_EQ(stays.result(), "error deadline exceeded") << "this is what fn returned";
}

TEST(Lifecycle, ADeadlineStaysInForceWhenItsAwaiterHasLeft) {
  Sleeper sleeper;
  const auto deadline = Clock::now() + soon;
  Awaiter awaiter(sleeper.future, with_deadline(forever, deadline));
  EXPECT_TRUE(workbook::eventually([&] {  // or the machine was slow, and it has passed already
    return sleeper.future.deadline().has_value() || sleeper.seen->context_has_ended();
  }));
  awaiter.leave();
  EXPECT_EQ(sleeper.seen->ended_by(), "deadline exceeded")
      << "the deadline was told to everybody. Who watches it when its awaiter has left early?";
  EXPECT_GE(sleeper.seen->when, deadline);
}

TEST(Lifecycle, TheOthersGetWhatFnMakesOfSomebodyElsesDeadline) {
  const auto ended_at = std::make_shared<workbook::Gate>();
  auto future = go_with_deadline<int>([ended_at](const Context& ctx) -> Result<int> {
    ctx.sleep_for(1h);
    ended_at->open();
    throw std::runtime_error("half done: " + ctx.error().value_or(Error{}).code.message());
  });
  Awaiter patient(future, with_cancel(forever));
  const auto hurried = with_timeout(forever, soon);
  const auto result = show(future.await(hurried.context()));
  EXPECT_TRUE(result == "error deadline exceeded" || result == "error exception") << result;
  EXPECT_TRUE(ended_at->wait_for());
  EXPECT_EQ(patient.result(), "error exception");
  const auto outcome = future.await(forever);
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().message, "half done: deadline exceeded");
}

// While a handle is there, its timer may be, too; but not longer.
TEST(Lifecycle, NoTimerIsLeftOnceFnHasReturned) {
  const Census before;
  {
    Deaf deaf;
    for (int hours = 5; hours > 0; --hours) tighten(deaf.future, Clock::now() + hours * 1h);
    deaf.may_end->open();
    EXPECT_EQ(show(deaf.future.await(forever)), "value 7");
  }
  EXPECT_TRUE(before.comes_back_to_it())
      << "fn has returned, the last handle is gone: nobody needs to watch a deadline that is an "
         "hour away, but "
      << Census::now();
}

TEST(Lifecycle, NoTimerIsLeftOnceFnHasThrown) {
  const Census before;
  {
    const auto may_throw = std::make_shared<workbook::Gate>();
    auto future = go_with_deadline<int>([may_throw](const Context&) -> Result<int> {
      may_throw->wait();
      throw 42;
    });
    tighten(future, Clock::now() + 1h);
    may_throw->open();
    EXPECT_EQ(show(future.await(forever)), "error exception");
  }
  EXPECT_TRUE(before.comes_back_to_it())
      << "fn has thrown, the last handle is gone, and a deadline an hour away is still watched: "
      << Census::now();
}

TEST(Lifecycle, AHandleThatIsAssignedOverLetsGoOfItsWork) {
  Sleeper sleeper;
  ASSERT_TRUE(sleeper.seen->begun.wait_for());
  auto other = go_with_deadline<int>([](const Context&) -> Result<int> { return 8; });
  sleeper.future = std::move(other);
  EXPECT_EQ(sleeper.seen->ended_by(), "cancelled")
      << "its only handle was given other work, and fn was not told; is the old work in the handle "
         "that was moved from?";
  EXPECT_EQ(show(sleeper.future.await(forever)), "value 8");
}

TEST(Lifecycle, AHandleThatIsAssignedToItselfIsStillAHandle) {
  Deaf deaf;
  ASSERT_TRUE(deaf.seen->begun.wait_for());
  auto& same = deaf.future;
  deaf.future = same;
  EXPECT_FALSE(deaf.seen->context->done()) << "a handle was assigned to itself, and fn was told "
                                              "that the last one is gone";
  deaf.may_end->open();
  EXPECT_EQ(show(deaf.future.await(forever)), "value 7");
}

TEST(Lifecycle, NoTimerOfAnAwaitAfterFnHasReturnedIsLeft) {
  const Census before;
  {
    auto future = go_with_deadline<int>([](const Context&) -> Result<int> { return 7; });
    EXPECT_EQ(show(future.await(forever)), "value 7");
    for (int i = 0; i < 3; ++i) {
      const auto hour = with_timeout(forever, 1h - i * 1min);
      EXPECT_EQ(show(future.await(hour.context())), "value 7");
    }
  }
  EXPECT_TRUE(before.comes_back_to_it())
      << "the work is done, there is nothing to end any more, but " << Census::now();
}

TEST(Lifecycle, NoTimerIsLeftOnceFnIsCancelled) {
  const Census before;
  {
    Sleeper abandoned;
    tighten(abandoned.future, Clock::now() + 1h);
  }
  {
    Sleeper cancelled;
    tighten(cancelled.future, Clock::now() + 1h);
    cancelled.future.cancel();
    EXPECT_EQ(cancelled.seen->ended_by(), "cancelled");
  }
  EXPECT_TRUE(before.comes_back_to_it()) << "one future was dropped, one cancelled and dropped, "
                                            "both an hour before their deadline, but "
                                         << Census::now();
}

TEST(Lifecycle, FnAndItsCapturesAreDestroyedOnceItHasReturned) {
  const int before = Tracked::live();
  auto future = go_with_deadline<int>(
      [captured = Tracked(3)](const Context&) -> Result<int> { return captured.value; });
  EXPECT_EQ(show(future.await(forever)), "value 3");
  EXPECT_TRUE(workbook::eventually([&] { return Tracked::live() == before; }))
      << "fn has returned, the future is still held: who holds fn's captures?";
}

TEST(Lifecycle, FnAndItsCapturesAreDestroyedOnceItHasThrown) {
  const int before = Tracked::live();
  auto future =
      go_with_deadline<int>([captured = Tracked(3)](const Context&) -> Result<int> { throw 42; });
  EXPECT_EQ(show(future.await(forever)), "error exception");
  EXPECT_TRUE(workbook::eventually([&] { return Tracked::live() == before; }))
      << "fn has thrown, the future is still held: who holds fn's captures?";
}

TEST(Lifecycle, FnMayHoldAHandleOnItsOwnWork) {
  const int before = Tracked::live();
  {
    const auto own = std::make_shared<std::optional<DeadlineFuture<Tracked>>>();
    const auto given = std::make_shared<workbook::Gate>();
    auto future = go_with_deadline<Tracked>([own, given](const Context&) -> Result<Tracked> {
      given->wait();
      return Tracked((*own)->deadline() ? 1 : 2);
    });
    *own = future;
    given->open();
    EXPECT_EQ(show(future.await(forever)), "value 2");
  }
  EXPECT_TRUE(workbook::eventually([&] { return Tracked::live() == before; }))
      << "fn has returned and every other handle is gone, but the value is still alive: fn holds "
         "a handle, the handle holds fn";
}

TEST(Lifecycle, FnMayDropTheLastHandleItself) {
  const auto own = std::make_shared<std::optional<DeadlineFuture<int>>>();
  const auto given = std::make_shared<workbook::Gate>();
  const auto heard = std::make_shared<workbook::Gate>();
  *own = go_with_deadline<int>([own, given, heard](const Context& ctx) -> Result<int> {
    given->wait();
    own->reset();  // whoever waits for fn now waits for himself
    if (ctx.done()) heard->open();
    return 7;
  });
  given->open();
  EXPECT_TRUE(heard->wait_for()) << "the last handle is gone, and fn's context has not ended";
}

// What fn captures: the last handle, which is used once more before it goes.
struct LastHandle {
  LastHandle() = default;
  LastHandle(const LastHandle&) = delete;
  LastHandle& operator=(const LastHandle&) = delete;
  ~LastHandle() {
    if (!future) return;
    static_cast<void>(future->deadline());
    future->cancel();
  }

  Tracked alive;  // the last member to be destroyed
  std::optional<DeadlineFuture<int>> future;
};

TEST(Lifecycle, TheCapturesOfFnMayUseTheFutureAndBeTheLastHandle) {
  const int before = Tracked::live();
  auto own = std::make_shared<LastHandle>();
  const auto given = std::make_shared<workbook::Gate>();
  own->future = go_with_deadline<int>([own, given](const Context&) -> Result<int> {
    given->wait();
    return 7;
  });
  own.reset();  // fn has the only one now
  given->open();
  EXPECT_TRUE(workbook::eventually([&] { return Tracked::live() == before; }))
      << "fn has returned, and the destructor of what it has captured, which calls cancel() and "
         "drops the last handle, has not: is there a lock held that both want?";
}

TEST(Lifecycle, AnAwaiterIsToldWhyItsContextEnded) {
  Deaf deaf;
  const Error why{Errc::unavailable, "the user has closed the page"};
  auto source = with_deadline(forever, Clock::now() + 1h);
  source.cancel(why);
  const auto result = deaf.future.await(source.context());
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error(), why) << "whoever cancelled has said why, and await knows better?";
}

TEST(Lifecycle, AReasonIsNotForgottenWhenTheDeadlinePassesToo) {
  const Error why{Errc::closed, "the shop is closed"};
  Deaf deaf;
  const auto result = deaf.future.await(workbook::ended_before_its_deadline(why));
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error(), why) << "a context ends once, and for one reason";
}

TEST(Lifecycle, ResultsAreDestroyedWithTheLastHandle) {
  const int before = Tracked::live();
  {
    auto future =
        go_with_deadline<Tracked>([](const Context&) -> Result<Tracked> { return Tracked(1); });
    const auto copy = future;
    EXPECT_EQ(show(future.await(forever)), "value 1");
    // Nobody will ever ask this one.
    go_with_deadline<Tracked>([](const Context&) -> Result<Tracked> { return Tracked(2); });
  }
  EXPECT_TRUE(workbook::eventually([&] { return Tracked::live() == before; }))
      << "no handle is left, but " << Tracked::live() - before << " values are";
}

TEST(Lifecycle, AStopCallbackOfFnMayUseTheFuture) {
  enum class By { cancel, deadline, late_await };
  const auto use_it_while_its_context_ends = [](By by, bool on_another_thread) {
    std::optional<DeadlineFuture<int>> future;
    workbook::Gate given;
    workbook::Gate listening;
    workbook::Gate called;
    future = go_with_deadline<int>([&](const Context& ctx) -> Result<int> {
      given.wait();
      const auto use_it = [&] {
        static_cast<void>(future->deadline());
        future->cancel();
        static_cast<void>(future->await(ended()));
        const auto late = with_deadline(forever, Clock::now() - 1s);
        static_cast<void>(future->await(late.context()));
        called.open();
      };
      // With a lock of the future's held by whoever calls this, it never ends; a lock that lets its
      // own thread through keeps the other one out.
      const std::stop_callback callback(ctx.stop_token(), [&] {
        if (on_another_thread) {
          std::jthread(use_it).join();
        } else {
          use_it();
        }
      });
      listening.open();
      // Not asleep on its context: that may wake it, and take the callback away, before its turn.
      return called.wait_for() ? 7 : 8;
    });
    given.open();
    listening.wait();
    if (by == By::cancel) {
      future->cancel();
    } else {
      const auto deadline = Clock::now() + (by == By::deadline ? Clock::duration(soon) : -1s);
      const auto hurried = with_deadline(forever, deadline);
      static_cast<void>(future->await(hurried.context()));
    }
    EXPECT_EQ(show(future->await(forever)), "value 7")
        << "8: fn's context has not ended, or a callback that used the future never came back";
  };
  for (const auto by : {By::cancel, By::deadline, By::late_await}) {
    for (const bool on_another_thread : {false, true}) {
      use_it_while_its_context_ends(by, on_another_thread);
    }
  }
}

// Its copy constructor throws when told to: one awaiter that fails to copy the outcome must not
// take a lock, or the outcome, with it.
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

TEST(Lifecycle, AnAwaiterWhoseCopyThrowsSpoilsNothingForTheNext) {
  const auto fragile = std::make_shared<std::atomic<bool>>(false);
  auto future = go_with_deadline<Brittle>(
      [fragile](const Context&) -> Result<Brittle> { return Brittle(fragile); });
  EXPECT_TRUE(future.await(forever).has_value());
  *fragile = true;
  try {
    EXPECT_FALSE(future.await(forever).has_value());
  } catch (const std::runtime_error&) {
    // As good as an Error: the contract does not say which.
  }
  *fragile = false;
  EXPECT_TRUE(future.await(forever).has_value());
}

TEST(Lifecycle, ManyAbandonedFuturesLeaveNothing) {
  const int before = Tracked::live();
  const Census census;
  for (std::size_t i = 0; i < workbook::rounds(200); ++i) {
    auto future =
        go_with_deadline<Tracked>([captured = Tracked(1)](const Context& ctx) -> Result<Tracked> {
          ctx.sleep_for(1h);
          return Tracked(2);
        });
    const auto hour = with_timeout(ended(), 1h);
    EXPECT_EQ(show(future.await(hour.context())), "error cancelled");
  }
  EXPECT_TRUE(workbook::eventually([&] { return Tracked::live() == before; }))
      << Tracked::live() - before << " captures or values are alive";
  EXPECT_TRUE(census.comes_back_to_it()) << Census::now();
}

}  // namespace deadline_suite
