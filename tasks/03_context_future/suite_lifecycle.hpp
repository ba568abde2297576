// Task 3: who hears of a context's end, what is kept, and what is left behind.
#pragma once

#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>

#include "context_future.hpp"
#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "suite_support.hpp"
#include "testing/kit.hpp"

namespace context_future_suite {

using namespace futures;  // these files are parts of one suite, nobody else includes them
using namespace std::chrono_literals;

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

TEST(Lifecycle, ASuccessWithoutAValueIsNotMadeUpEither) {
  const auto wait = [](Receiver<Result<void>>& future) { return await_for_ever(future); };
  auto good = async_with_context<void>(Context::background(),
                                       [](const Context&) { return Result<void>(); });
  EXPECT_TRUE(wait(good)) << "the function returned a success";
  EXPECT_FALSE(wait(good)) << "there was one success, and this await made up another";
  auto bad = async_with_context<void>(Context::background(), [](const Context&) -> Result<void> {
    return std::unexpected(disk_full);
  });
  EXPECT_EQ(wait(bad), Result<void>(std::unexpected(disk_full)));
  EXPECT_FALSE(wait(bad)) << "there was no success, and this await made up one";
  CancelSource source = futures::with_cancel(Context::background());
  source.cancel();
  auto late =
      async_with_context<void>(source.context(), [](const Context& context) -> Result<void> {
        wait_for_the_end(context);
        return std::unexpected(disk_full);
      });
  EXPECT_FALSE(futures::await(source.context(), late))
      << "the function did not succeed, and the context had ended beforehand";
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
  EXPECT_FALSE(await_for_ever(four)) << "the function threw, and this looks like a success";
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

}  // namespace context_future_suite
