// What a future that can be given up must do. Every test is a sentence; the failure says what to
// think about next.
#include <atomic>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <expected>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "context_future.hpp"
#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "testing/kit.hpp"

namespace context_future_suite {

using namespace std::chrono_literals;
using futures::async_with_context;
using futures::CancelSource;
using futures::Context;
using futures::Errc;
using futures::Error;
using futures::Receiver;
using futures::Result;

// The types of the contract: a value of any other could compare equal to whatever is expected.
static_assert(
    requires(const Context& context, futures::Fn<Result<int>(const Context&)>& fn) {
      { async_with_context<int>(context, std::move(fn)) } -> std::same_as<Receiver<Result<int>>>;
    }, "async_with_context<T>() returns a Receiver<Result<T>>");
static_assert(
    requires(const Context& context, Receiver<Result<int>>& future) {
      { futures::await(context, future) } -> std::same_as<Result<int>>;
    }, "await() returns a Result<T>");

const Error disk_full{Errc::unavailable, "the disk is full"};

template <class T>
Result<T> await_for_ever(Receiver<Result<T>>& future) {
  return futures::await(Context::background(), future);
}

// Whatever T is: an error with this code. Says what was there instead.
// An object, so that no overload in a header under test stands in for it.
constexpr auto fails_with = []<class T>(const Result<T>& result,
                                        Errc expected) -> testing::AssertionResult {
  if (result) return testing::AssertionFailure() << "a success, where an error was due";
  if (result.error().code == expected) return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << "another error: " << result.error().code.message() << ", " << result.error().message;
};

// What is left for the second await of a function that returns 7, when the first has given up: that
// value, or an error, when the context had ended before the function could begin and it was left
// out for that (the first await may have had the message that said so). `begun`: it was not.
constexpr auto delivers_7 = [](const Result<int>& result, bool begun) -> testing::AssertionResult {
  if (!begun && !result) return testing::AssertionSuccess();
  if (result && *result == 7) return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << (result ? "another value"
                    : result.error().code.message() + ", " + result.error().message)
         << ", and the function returned 7, whatever the context did";
};

void wait_for_the_end(const Context& ctx) {
  while (!ctx.done()) (void)ctx.sleep_for(1h);
}

// A future whose message lies ready.
Receiver<Result<int>> finished_with_7() {
  auto future = async_with_context<int>(Context::background(), [](const Context&) { return 7; });
  EXPECT_TRUE(workbook::eventually([&] { return future.closed(); }))
      << "the function has returned, but the channel was not closed";
  return future;
}

#ifndef WORKBOOK_RUNS_EXPLORED_ONLY

TEST(Basic, AValueArrives) {
  auto future = async_with_context<int>(Context::background(), [](const Context&) { return 42; });
  EXPECT_EQ(await_for_ever(future), 42);
}

TEST(Basic, AnErrorArrivesAsItWasReturned) {
  auto future = async_with_context<int>(Context::background(), [](const Context&) -> Result<int> {
    return std::unexpected(disk_full);
  });
  const auto result = await_for_ever(future);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), disk_full) << "code and text belong to the function";
}

TEST(Basic, EveryErrorArrivesAsItWasReturned) {
  for (const Error& error : workbook::errors_of_all_kinds()) {
    auto future = async_with_context<int>(
        Context::background(),
        [error](const Context&) -> Result<int> { return std::unexpected(error); });
    const auto result = await_for_ever(future);
    ASSERT_FALSE(result) << testing::PrintToString(error);
    EXPECT_EQ(result.error(), error);
  }
}

TEST(Basic, TheCallReturnsWhileTheFunctionIsStillRunning) {
  const auto caller = std::this_thread::get_id();
  auto gate = std::make_shared<workbook::Gate>();
  auto future = async_with_context<bool>(Context::background(), [=](const Context&) {
    const bool on_the_caller = std::this_thread::get_id() == caller;
    if (!on_the_caller) gate->wait();
    return on_the_caller;
  });
  gate->open();
  EXPECT_EQ(await_for_ever(future), false)
      << "the function ran inside the call, on the caller's thread";
}

TEST(Basic, AValueNeedsNeitherACopyNorADefault) {
  auto future = async_with_context<workbook::MoveOnly>(
      Context::background(),
      [owned = std::make_unique<int>(7)](const Context&) { return workbook::MoveOnly(*owned); });
  const auto result = await_for_ever(future);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->value, 7);
}

TEST(Basic, TheFunctionIsNotCancelledWithoutReason) {
  auto gate = std::make_shared<workbook::Gate>();
  const CancelSource source = futures::with_cancel(Context::background());
  auto future = async_with_context<bool>(source.context(), [gate](const Context& ctx) {
    gate->wait();  // until the call has returned
    return ctx.done();
  });
  gate->open();
  EXPECT_EQ(await_for_ever(future), false)
      << "nobody cancelled, but the function's context had ended: who ended it?";
}

TEST(Basic, TheFunctionKnowsTheDeadline) {
  const CancelSource source = futures::with_timeout(Context::background(), 1h);
  using Deadline = std::optional<futures::Clock::time_point>;
  auto future = async_with_context<Deadline>(
      source.context(), [](const Context& ctx) -> Result<Deadline> { return ctx.deadline(); });
  const auto seen = await_for_ever(future);
  ASSERT_TRUE(seen);
  EXPECT_TRUE(*seen == source.context().deadline())
      << "the function sees another deadline than the caller set";
}

TEST(Basic, TheFunctionSeesADeadlineThatIsBroughtForward) {
  CancelSource source = futures::with_timeout(Context::background(), 2h);
  const auto sooner = futures::Clock::now() + 1h;
  auto begun = std::make_shared<workbook::Gate>();
  auto tightened = std::make_shared<workbook::Gate>();
  auto future = async_with_context<bool>(source.context(), [=](const Context& ctx) {
    begun->open();
    tightened->wait();
    return ctx.deadline() == sooner;
  });
  begun->wait();
  source.tighten(sooner);
  tightened->open();
  EXPECT_EQ(await_for_ever(future), true)
      << "the caller brought the deadline forward while the function was running: a copy of the "
         "deadline does not hear of that, the caller's own context does";
}

TEST(Stress, ACancelNeverLosesAResult) {
  struct Shared {
    CancelSource source = futures::with_cancel(Context::background());
    std::shared_ptr<std::atomic<bool>> begun = std::make_shared<std::atomic<bool>>(false);
    Receiver<Result<int>> future =
        async_with_context<int>(source.context(), [begun = begun](const Context&) {
          *begun = true;
          return 7;
        });
  };
  workbook::stress_on(
      2, workbook::rounds(150), [] { return std::make_unique<Shared>(); },
      [](std::unique_ptr<Shared>& shared, std::size_t thread) {
        if (thread == 0) {
          shared->source.cancel();
          return;
        }
        auto result = futures::await(shared->source.context(), shared->future);
        if (!result) {
          EXPECT_TRUE(fails_with(result, Errc::cancelled));
          result = await_for_ever(shared->future);
        }
        EXPECT_TRUE(delivers_7(result, *shared->begun));
      },
      [](std::unique_ptr<Shared>&) {});
}

TEST(Stress, OfManyAwaitsExactlyOneGetsTheResult) {
  struct Shared {
    Receiver<Result<int>> future =
        async_with_context<int>(Context::background(), [](const Context&) { return 9; });
    std::atomic<int> results{0};
  };
  workbook::stress_on(
      8, workbook::rounds(40), [] { return std::make_unique<Shared>(); },
      [](std::unique_ptr<Shared>& shared, std::size_t) {
        auto mine = shared->future;
        if (const auto result = await_for_ever(mine)) {
          ++shared->results;
          EXPECT_EQ(*result, 9) << "an await made up a value";
        }
      },
      [](std::unique_ptr<Shared>& shared) {
        EXPECT_EQ(shared->results, 1) << "one result; the other seven awaits must return an error";
      });
}

TEST(Stress, EveryAwaitGetsTheResultOfItsOwnFunction) {
  workbook::stress(8, workbook::rounds(40), [](std::size_t thread, std::size_t round) {
    const int number = static_cast<int>(thread * 1000 + round);
    const CancelSource source = futures::with_cancel(Context::background());
    auto future =
        async_with_context<int>(source.context(), [number](const Context&) -> Result<int> {
          if (number % 3 == 0) throw number;
          return number;
        });
    const auto result = futures::await(source.context(), future);
    if (number % 3 == 0) {
      EXPECT_TRUE(fails_with(result, Errc::exception));
    } else {
      EXPECT_EQ(result, number);
    }
  });
}

TEST(Lifecycle, ACancelReachesTheFunction) {
  CancelSource source = futures::with_cancel(Context::background());
  auto future = async_with_context<int>(source.context(), [](const Context& ctx) -> Result<int> {
    wait_for_the_end(ctx);
    return std::unexpected(*ctx.error());
  });
  source.cancel(disk_full);
  EXPECT_TRUE(fails_with(await_for_ever(future), Errc::unavailable))
      << "the function has to see the caller's own context, the reason included";
}

TEST(Lifecycle, AwaitReturnsOnACancelThoughTheFunctionIgnoresIt) {
  auto begun = std::make_shared<workbook::Gate>();
  auto gate = std::make_shared<workbook::Gate>();
  CancelSource source = futures::with_cancel(Context::background());
  auto future = async_with_context<int>(source.context(), [begun, gate](const Context&) {
    begun->open();
    gate->wait();
    return 7;
  });
  begun->wait();
  const std::jthread canceller([&] { source.cancel(); });
  EXPECT_TRUE(fails_with(futures::await(source.context(), future), Errc::cancelled));
  gate->open();
  EXPECT_EQ(await_for_ever(future), 7)
      << "the result was finished after the waiter gave up; another await must still get it";
}

TEST(Lifecycle, AwaitReturnsAtTheDeadlineThoughTheFunctionIgnoresIt) {
  auto begun = std::make_shared<std::atomic<bool>>(false);
  auto gate = std::make_shared<workbook::Gate>();
  const CancelSource source = futures::with_timeout(Context::background(), 10ms);
  auto future = async_with_context<int>(source.context(), [begun, gate](const Context&) {
    *begun = true;
    gate->wait();
    return 7;
  });
  EXPECT_TRUE(fails_with(futures::await(source.context(), future), Errc::deadline_exceeded));
  gate->open();
  EXPECT_TRUE(delivers_7(await_for_ever(future), *begun));
}

TEST(Lifecycle, AWaiterThatGivesUpDoesNotCancelTheFunction) {
  auto gate = std::make_shared<workbook::Gate>();
  auto future = async_with_context<bool>(Context::background(), [gate](const Context& ctx) {
    gate->wait();
    return ctx.done();
  });
  CancelSource impatient = futures::with_cancel(Context::background());
  const std::jthread canceller([&] { impatient.cancel(); });
  EXPECT_TRUE(fails_with(futures::await(impatient.context(), future), Errc::cancelled));
  gate->open();
  EXPECT_EQ(await_for_ever(future), false) << "the waiter's context is not the function's";
}

TEST(Lifecycle, AFinishedResultBeatsAContextThatHasEnded) {
  auto future = finished_with_7();
  CancelSource source = futures::with_cancel(Context::background());
  source.cancel();
  EXPECT_EQ(futures::await(source.context(), future), 7)
      << "the result lay ready; that the context had ended is no reason to drop it";
}

TEST(Lifecycle, AFinishedErrorBeatsAContextThatHasEnded) {
  auto future = async_with_context<int>(Context::background(), [](const Context&) -> Result<int> {
    return std::unexpected(disk_full);
  });
  ASSERT_TRUE(workbook::eventually([&] { return future.closed(); }));
  CancelSource source = futures::with_cancel(Context::background());
  source.cancel();
  EXPECT_TRUE(fails_with(futures::await(source.context(), future), Errc::unavailable))
      << "an error is a result, too: it says more than that somebody lost patience";
}

TEST(Lifecycle, AwaitSaysWhyItsContextEnded) {
  auto gate = std::make_shared<workbook::Gate>();
  auto future = async_with_context<int>(Context::background(), [gate](const Context&) {
    gate->wait();
    return 7;
  });
  for (const Error& why : workbook::errors_of_all_kinds()) {
    const auto result = futures::await(workbook::ended(why), future);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error(), why) << "whoever cancelled has said why, and await knows better?";
  }
  gate->open();
}

TEST(Lifecycle, AReasonIsNotForgottenWhenTheDeadlinePassesToo) {
  auto gate = std::make_shared<workbook::Gate>();
  auto future = async_with_context<int>(Context::background(), [gate](const Context&) {
    gate->wait();
    return 7;
  });
  const auto result = futures::await(workbook::ended_before_its_deadline(disk_full), future);
  gate->open();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), disk_full) << "a context ends once, and for one reason";
}

TEST(Lifecycle, TheContextsErrorDoesNotTakeThePlaceOfTheFunctions) {
  auto source = std::make_shared<CancelSource>(futures::with_cancel(Context::background()));
  auto fails = async_with_context<int>(source->context(), [source](const Context&) -> Result<int> {
    source->cancel();
    return std::unexpected(disk_full);
  });
  const auto result = await_for_ever(fails);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), disk_full) << "the function's own error arrives as it was returned";

  auto another = std::make_shared<CancelSource>(futures::with_cancel(Context::background()));
  auto throws =
      async_with_context<int>(another->context(), [another](const Context&) -> Result<int> {
        another->cancel();
        throw std::runtime_error("out of paper");
      });
  EXPECT_TRUE(fails_with(await_for_ever(throws), Errc::exception))
      << "that the context had ended as well is no reason to hide what was thrown";
}

TEST(Lifecycle, AnErrorThatSaysCancelledIsTheFunctionsOwn) {
  auto source = std::make_shared<CancelSource>(futures::with_cancel(Context::background()));
  const Error rolled_back{Errc::cancelled, "cancelled, and three of four steps rolled back"};
  auto future = async_with_context<int>(source->context(), [=](const Context&) -> Result<int> {
    source->cancel(disk_full);
    return std::unexpected(rolled_back);
  });
  const auto result = await_for_ever(future);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), rolled_back) << "the function knows best what its end means";
}

TEST(Lifecycle, ACancelBeforeTheDeadlineWakesTheWaiter) {
  auto gate = std::make_shared<workbook::Gate>();
  auto future = async_with_context<int>(Context::background(), [gate](const Context&) {
    gate->wait();
    return 7;
  });
  // Some of them find the waiter asleep.
  for (const auto pause : {0ms, 1ms, 5ms, 20ms, 50ms}) {
    CancelSource parent = futures::with_cancel(Context::background());
    const CancelSource hurried = futures::with_timeout(parent.context(), 1h);
    const std::jthread canceller([&] {
      std::this_thread::sleep_for(pause);
      parent.cancel();
    });
    EXPECT_TRUE(fails_with(futures::await(hurried.context(), future), Errc::cancelled))
        << "a context with a deadline can end before it";
  }
  gate->open();
}

TEST(Stress, HundredsOfFunctionsRunAtTheSameTime) {
  const std::size_t total = workbook::crowd(300);
  auto meeting = std::make_shared<workbook::Meeting>(total);
  std::vector<Receiver<Result<int>>> futures;
  for (std::size_t i = 0; i < total; ++i) {
    futures.push_back(async_with_context<int>(Context::background(), [meeting](const Context&) {
      meeting->meet();
      return 1;
    }));
  }
  EXPECT_TRUE(meeting->all_met()) << "of " << total << " functions only " << meeting->here()
                                  << " have begun; each waits for all the others";
  for (auto& future : futures) EXPECT_EQ(await_for_ever(future), 1);
}

TEST(Lifecycle, AResultThatIsFinishedAfterTheContextEndedIsKept) {
  auto source = std::make_shared<CancelSource>(futures::with_cancel(Context::background()));
  auto future = async_with_context<int>(source->context(), [source](const Context&) {
    source->cancel();
    return 7;
  });
  EXPECT_EQ(await_for_ever(future), 7)
      << "the context had ended when the function returned, and its result was dropped";
}

TEST(Lifecycle, ASecondAwaitIsAnErrorAndNotADefaultValue) {
  auto future = finished_with_7();
  ASSERT_EQ(await_for_ever(future), 7);
  const auto second = await_for_ever(future);
  EXPECT_FALSE(second) << "there was one result, and this await made up another: " << *second;
  CancelSource source = futures::with_cancel(Context::background());
  source.cancel();
  EXPECT_FALSE(futures::await(source.context(), future));
}

TEST(Lifecycle, AnExceptionArrivesAsAnError) {
  auto one = async_with_context<int>(
      Context::background(), [](const Context&) -> Result<int> { throw std::runtime_error("no"); });
  EXPECT_TRUE(fails_with(await_for_ever(one), Errc::exception));
  auto two = async_with_context<int>(Context::background(),
                                     [](const Context&) -> Result<int> { throw 42; });
  EXPECT_TRUE(fails_with(await_for_ever(two), Errc::exception));
  auto three = async_with_context<int>(Context::background(), [](const Context&) -> Result<int> {
    throw static_cast<const char*>(nullptr);
  });
  EXPECT_TRUE(fails_with(await_for_ever(three), Errc::exception));
  auto four = async_with_context<int>(Context::background(), [](const Context&) -> Result<int> {
    throw std::system_error(make_error_code(std::errc::io_error));
  });
  EXPECT_TRUE(fails_with(await_for_ever(four), Errc::exception))
      << "it brings a code of its own; that fn threw is what its caller has to know";
  EXPECT_FALSE(await_for_ever(two)) << "one message, also after an exception";
}

TEST(Lifecycle, AContextThatHasEndedBeforehandLeavesNobodyWaiting) {
  CancelSource source = futures::with_cancel(Context::background());
  source.cancel();
  std::atomic<bool> on_the_caller{false};
  auto future = async_with_context<int>(
      source.context(),
      [&on_the_caller, caller = std::this_thread::get_id()](const Context& ctx) -> Result<int> {
        if (std::this_thread::get_id() == caller) on_the_caller = true;
        wait_for_the_end(ctx);
        return std::unexpected(*ctx.error());
      });
  EXPECT_TRUE(fails_with(await_for_ever(future), Errc::cancelled));
  EXPECT_FALSE(on_the_caller) << "a function may take its time, also under a context that has "
                                 "ended: who calls must not have to wait for it";
}

TEST(Lifecycle, AbandonedFuturesLeaveNoThread) {
  const std::size_t total = workbook::crowd(60);
  auto begun = std::make_shared<std::atomic<std::size_t>>(0);
  auto finished = std::make_shared<std::atomic<std::size_t>>(0);
  {
    const CancelSource source = futures::with_cancel(Context::background());
    for (std::size_t i = 0; i < total; ++i) {
      const bool patient = i % 2 == 0;
      const Context ctx = patient ? source.context() : Context::background();
      async_with_context<int>(ctx, [begun, finished, patient](const Context& mine) {
        begun->fetch_add(1);
        if (patient) wait_for_the_end(mine);
        finished->fetch_add(1);
        return 1;
      });  // nobody keeps the receiver
    }
    const auto impatient = total - (total + 1) / 2;
    EXPECT_TRUE(workbook::eventually([&] { return *begun == total && *finished >= impatient; }));
  }  // the end of the source's scope cancels the others
  EXPECT_TRUE(workbook::eventually([&] { return finished->load() == total; }))
      << "of " << total << " abandoned functions only " << *finished << " have come to their end";
}

TEST(Lifecycle, TheFunctionRunsOnceAndItsCapturesAreDestroyed) {
  auto calls = std::make_shared<std::atomic<int>>(0);
  const int before = workbook::Tracked::live();
  auto future = async_with_context<int>(
      Context::background(),
      [calls, tracked = workbook::Tracked()](const Context&) { return ++*calls; });
  EXPECT_EQ(await_for_ever(future), 1);
  EXPECT_TRUE(workbook::eventually([&] { return workbook::Tracked::live() == before; }))
      << "the function has run, but what it captured is still alive: who keeps it?";
  EXPECT_EQ(*calls, 1) << "the function must run exactly once";
}

TEST(Lifecycle, CapturesAreDestroyedAfterAnExceptionToo) {
  const int before = workbook::Tracked::live();
  auto future = async_with_context<int>(
      Context::background(),
      [tracked = workbook::Tracked()](const Context&) -> Result<int> { throw 42; });
  EXPECT_TRUE(fails_with(await_for_ever(future), Errc::exception));
  EXPECT_TRUE(workbook::eventually([&] { return workbook::Tracked::live() == before; }))
      << "the function has thrown, and what it captured is still alive: who keeps it?";
}

TEST(Lifecycle, ACaptureMayStartAFutureWhenItIsDestroyed) {
  const auto another = [] {
    auto future = async_with_context<int>(Context::background(), [](const Context&) { return 5; });
    return await_for_ever(future);
  };
  ASSERT_EQ(another(), 5);
  auto over = std::make_shared<workbook::Gate>();
  auto future =
      async_with_context<int>(Context::background(), [last = workbook::LastWords([over, another] {
                                                        if (another() == 5) over->open();
                                                      })](const Context&) { return 4; });
  EXPECT_EQ(await_for_ever(future), 4);
  EXPECT_TRUE(over->wait_for()) << "a capture's destructor calls async_with_context() and waits: "
                                   "who destroys captures under a lock?";
}

#endif

TEST(Explored, ACancelRacesTheResultAndTheResultIsNotLost) {
  auto begun = std::make_shared<std::atomic<bool>>(false);
  CancelSource source = futures::with_cancel(Context::background());
  auto future = async_with_context<int>(source.context(), [begun](const Context&) {
    *begun = true;
    return 7;
  });
  const std::jthread canceller([&] { source.cancel(); });
  auto result = futures::await(source.context(), future);
  if (!result) {
    EXPECT_TRUE(fails_with(result, Errc::cancelled)) << "this await gave up, and nobody had taken "
                                                        "the result before";
    result = await_for_ever(future);
  }
  EXPECT_TRUE(delivers_7(result, *begun));
}

TEST(Explored, AResultThatCameBeforeTheCancelBeatsIt) {
  CancelSource source = futures::with_cancel(Context::background());
  auto channel = futures::make_channel<Result<int>>(1);
  const std::jthread producer([&source, &channel] {
    channel.first.send(7);
    source.cancel();
  });
  EXPECT_EQ(futures::await(source.context(), channel.second), 7)
      << "the result was there before the context ended: whoever gives up has to look once more";
}

TEST(Explored, ACancelWakesTheWaiterThoughTheFunctionIgnoresIt) {
  auto begun = std::make_shared<workbook::Gate>();
  auto gate = std::make_shared<workbook::Gate>();
  CancelSource source = futures::with_cancel(Context::background());
  auto future = async_with_context<int>(source.context(), [begun, gate](const Context&) {
    begun->open();
    gate->wait();
    return 7;
  });
  begun->wait();
  const std::jthread canceller([&] { source.cancel(); });
  EXPECT_TRUE(fails_with(futures::await(source.context(), future), Errc::cancelled));
  gate->open();
  EXPECT_EQ(await_for_ever(future), 7);
}

// Whoever looks at the clock may see the deadline pass before the context has been told.
TEST(Explored, ADeadlineThatPassesIsToldAsSuch) {
  auto channel = futures::make_channel<Result<int>>(1);  // nobody sends anything
  const CancelSource source = futures::with_timeout(Context::background(), 10ms);
  EXPECT_TRUE(
      fails_with(futures::await(source.context(), channel.second), Errc::deadline_exceeded));
}

TEST(Explored, TheFunctionsContextOutlivesTheCallers) {
  std::optional<Receiver<Result<bool>>> future;
  {
    const CancelSource source = futures::with_cancel(Context::background());
    future = async_with_context<bool>(source.context(), [](const Context& ctx) {
      wait_for_the_end(ctx);
      return ctx.error().has_value();
    });
  }  // the caller's handles are gone; the function may not even have begun, and not begin any more
  const auto result = await_for_ever(*future);
  EXPECT_TRUE(result ? *result : result.error().code == Errc::cancelled);
}

TEST(Explored, OfTwoAwaitsOneGetsTheResultAndOneAnError) {
  auto future = async_with_context<int>(Context::background(), [](const Context&) { return 7; });
  int first = 0;
  int second = 0;
  {
    const std::jthread other([&] { second = await_for_ever(future).value_or(1); });
    first = await_for_ever(future).value_or(1);
  }
  EXPECT_EQ(first + second, 7 + 1) << "one result and one error were due, but the awaits got "
                                   << first << " and " << second << " (1 stands for an error)";
}

TEST(Explored, AnAwaiterLeavesThoughAnotherOneStays) {
  auto gate = std::make_shared<workbook::Gate>();
  auto future = async_with_context<int>(Context::background(), [gate](const Context&) {
    gate->wait();
    return 7;
  });
  CancelSource impatient = futures::with_cancel(Context::background());
  impatient.cancel();
  const auto leaves = [&] {
    EXPECT_TRUE(fails_with(futures::await(impatient.context(), future), Errc::cancelled))
        << "an awaiter whose context has ended does not wait for another one";
  };
  leaves();
  int stayed = 0;
  {
    const std::jthread patient([&] { stayed = await_for_ever(future).value_or(0); });
    leaves();
    gate->open();
  }
  EXPECT_EQ(stayed, 7);
}

TEST(Explored, AThreadThatIsAboutToGoIsNotPromisedTwice) {
  const auto start = [](auto fn) {
    return async_with_context<int>(Context::background(), [fn](const Context&) {
      fn();
      return 7;
    });
  };
  auto before = start([] {});
  EXPECT_EQ(await_for_ever(before), 7);
  auto gate = std::make_shared<workbook::Gate>();
  auto waits = start([gate] { gate->wait(); });
  start([gate] { gate->open(); });
  EXPECT_EQ(await_for_ever(waits), 7);  // or the second stands behind the first, which waits for it
}

TEST(Explored, AnExceptionIsAMessageToo) {
  auto future = async_with_context<int>(Context::background(),
                                        [](const Context&) -> Result<int> { throw 42; });
  EXPECT_TRUE(fails_with(await_for_ever(future), Errc::exception));
  EXPECT_FALSE(await_for_ever(future));
}

}  // namespace context_future_suite
