// Task 3: small races, for the schedule explorer to try in every order.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
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
