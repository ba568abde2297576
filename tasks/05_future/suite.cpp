// What a future and its resolver must do. Every test is a sentence; a failure says what was seen
// and what to think about next.
#include <concepts>
#include <utility>

#include "suite_explored.hpp"
#include "suite_support.hpp"

#ifndef WORKBOOK_RUNS_EXPLORED_ONLY
#include "suite_lifecycle.hpp"
#include "suite_stress.hpp"

namespace future_suite {

// The types of the contract: a value of any other could compare equal to whatever is expected.
static_assert(
    requires(const Future<int>& future, const Context& context) {
      { future.await(context) } -> std::same_as<Result<int>>;
    }, "await() returns a Result<T>");
static_assert(
    requires(const Future<int>& future) {
      { future.settled() } -> std::same_as<bool>;
    }, "settled() returns a bool");
static_assert(
    requires(Resolver<int>& resolver) {
      { resolver.resolve(1) } -> std::same_as<bool>;
    }, "resolve() returns a bool");
static_assert(
    requires(Resolver<int>& resolver, const Error& error) {
      { resolver.reject(error) } -> std::same_as<bool>;
    }, "reject() returns a bool");
static_assert(
    requires(const Resolver<int>& resolver) {
      { resolver.context() } -> std::same_as<Context>;
    }, "context() returns a Context");
static_assert(
    requires {
      { make_future<int>() } -> std::same_as<std::pair<Future<int>, Resolver<int>>>;
    }, "make_future<T>() returns a pair of Future<T> and Resolver<T>");
static_assert(
    requires(const Context& context, Fn<Result<int>(const Context&)>& fn) {
      { futures::go<int>(context, std::move(fn)) } -> std::same_as<Future<int>>;
    }, "go<T>() returns a Future<T>");

TEST(Basic, TheValueArrives) {
  auto [future, resolver] = make_future<std::string>();
  EXPECT_FALSE(future.settled());
  EXPECT_TRUE(resolver.resolve("hello")) << "this call settled the future: it returns true";
  EXPECT_TRUE(future.settled());
  EXPECT_EQ(show(future.await(forever)), "value hello");
  EXPECT_EQ(show(future.await(forever)), "value hello") << "a result can be read more than once";
}

TEST(Basic, AnErrorArrives) {
  auto [future, resolver] = make_future<int>();
  EXPECT_TRUE(resolver.reject(Error{Errc::unavailable, "no route"}));
  EXPECT_TRUE(future.settled());
  const auto result = future.await(forever);
  ASSERT_FALSE(result.has_value());
  EXPECT_TRUE((result.error() == Error{Errc::unavailable, "no route"})) << show(result);
}

TEST(Basic, EveryErrorArrivesAsItIs) {
  for (const Error& error : workbook::errors_of_all_kinds()) {
    auto [future, resolver] = make_future<int>();
    std::optional<Error> heard;
    future.on_settled([&heard](const Result<int>& result) { heard = result.error(); });
    EXPECT_TRUE(resolver.reject(error));
    EXPECT_EQ(heard, error);
    const auto started =
        go<int>(forever, [error](const Context&) -> Result<int> { return std::unexpected(error); });
    for (const auto& result : {future.await(forever), started.await(forever)}) {
      ASSERT_FALSE(result) << testing::PrintToString(error);
      EXPECT_EQ(result.error(), error);
    }
  }
}

TEST(Basic, OnlyTheFirstSettlingCounts) {
  auto [future, resolver] = make_future<int>();
  EXPECT_TRUE(resolver.resolve(1));
  EXPECT_FALSE(resolver.resolve(2)) << "settled already: false, and nothing changes";
  EXPECT_FALSE(resolver.reject(Error{Errc::unavailable, "late"}));
  EXPECT_EQ(show(future.await(forever)), "value 1");

  auto [failed, rejecter] = make_future<int>();
  EXPECT_TRUE(rejecter.reject(Error{Errc::unavailable, "first"}));
  EXPECT_FALSE(rejecter.resolve(2));
  EXPECT_EQ(show(failed.await(forever)), "error unavailable");
}

template <class Handle>
concept CanWrite = requires(Handle& handle, Error error) { handle.resolve(1); } ||
                   requires(Handle& handle, Error error) { handle.reject(error); };
template <class Handle>
concept CanRead = requires(Handle& handle, Context context) { handle.await(context); } ||
                  requires(Handle& handle) { handle.on_settled([](const Result<int>&) {}); };

TEST(Basic, ReadingAndWritingAreSeparateCapabilities) {
  (void)make_future<int>();  // the types alone say nothing: a starter has them, too
  using Reader = Future<int>;
  using Writer = Resolver<int>;
  EXPECT_TRUE(CanRead<Reader> && CanWrite<Writer>);
  EXPECT_FALSE(CanWrite<Reader>) << "whoever may read a Future can also settle it";
  EXPECT_FALSE(CanRead<Writer>) << "a producer that awaits its own result waits for ever";
  EXPECT_FALSE((std::is_constructible_v<Writer, Reader> || std::is_convertible_v<Reader&, Writer>))
      << "a Resolver can be made out of a Future";
  EXPECT_TRUE(std::is_copy_constructible_v<Reader> && std::is_copy_assignable_v<Reader>)
      << "a Future is a handle that can be copied";
  EXPECT_FALSE(std::is_copy_constructible_v<Writer> || std::is_copy_assignable_v<Writer>)
      << "with two copies of a Resolver, which one's end is the broken promise?";
  EXPECT_TRUE(std::is_move_constructible_v<Writer>);
}

TEST(Basic, CopiesOfAFutureReferToOneResult) {
  auto [future, resolver] = make_future<int>();
  const auto before = future;
  resolver.resolve(7);
  const auto after = before;
  EXPECT_EQ(show(before.await(forever)), "value 7");
  EXPECT_EQ(show(after.await(forever)), "value 7");
}

TEST(Basic, TheValueNeedsNoDefaultConstructor) {
  auto [future, resolver] = make_future<Plain>();
  resolver.resolve(Plain(3));
  const auto result = future.await(forever);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->number, 3);
}

TEST(Basic, AResolverThatGoesAwayUnsettledBreaksItsPromise) {
  int called = 0;
  auto future = [&] {
    auto [reader, resolver] = make_future<int>();
    reader.on_settled([&](const Result<int>&) { ++called; });
    return reader;
  }();
  EXPECT_TRUE(future.settled()) << "its only resolver is gone: nobody can ever settle it now";
  if (!future.settled()) return;
  EXPECT_EQ(show(future.await(forever)), "error broken promise");
  EXPECT_EQ(called, 1) << "a broken promise is an outcome like any other for the callbacks";
}

TEST(Basic, AResultOutlivesItsResolver) {
  auto future = [] {
    auto [reader, resolver] = make_future<std::string>();
    auto moved = std::move(resolver);
    moved.resolve("still here");
    return reader;
  }();
  EXPECT_EQ(show(future.await(forever)), "value still here");
}

TEST(Basic, ACallbackRunsOnceOnTheThreadThatSettles) {
  auto [future, resolver] = make_future<int>();
  std::vector<std::string> seen;
  std::thread::id callback_thread;
  std::thread::id settling_thread;
  future.on_settled([&](const Result<int>& result) {
    seen.push_back(show(result));
    callback_thread = std::this_thread::get_id();
  });
  EXPECT_TRUE(seen.empty()) << "called before there was a result";
  std::thread([&, writer = std::move(resolver)]() mutable {
    settling_thread = std::this_thread::get_id();
    writer.resolve(5);
    writer.resolve(6);
  }).join();
  EXPECT_EQ(seen, std::vector<std::string>{"value 5"});
  EXPECT_EQ(callback_thread, settling_thread)
      << "a callback belongs on the thread that calls resolve(): it needs no thread of its own";
}

TEST(Basic, ACallbackOnASettledFutureRunsAtOnce) {
  auto [future, resolver] = make_future<int>();
  resolver.reject(Error{Errc::not_found, "nothing"});
  std::vector<std::string> seen;
  std::thread::id callback_thread;
  future.on_settled([&](const Result<int>& result) {
    seen.push_back(show(result));
    callback_thread = std::this_thread::get_id();
  });
  EXPECT_EQ(seen, std::vector<std::string>{"error not found"})
      << "on_settled() has returned: the callback must have run by now";
  EXPECT_EQ(callback_thread, std::this_thread::get_id());
}

TEST(Basic, ACallbackThatACallbackRegistersRunsAtOnce) {
  for (const bool beforehand : {true, false}) {
    auto [future, resolver] = make_future<int>();
    if (beforehand) EXPECT_TRUE(resolver.resolve(7));
    int inner = 0;
    future.on_settled([&, f = future](const Result<int>&) {
      f.on_settled([&inner](const Result<int>&) { ++inner; });
      EXPECT_EQ(inner, 1) << "the future is settled: a callback runs here and now, though this is "
                             "inside of another one";
    });
    if (!beforehand) EXPECT_TRUE(resolver.resolve(7));
    EXPECT_EQ(inner, 1);
  }
}

TEST(Basic, WhoDropsTheLastFutureCancelsNothing) {
  auto ends = make_future<int>();
  ends.first = Future<int>();
  EXPECT_FALSE(ends.second.context().done()) << "only cancel() asks the producer to stop";
  EXPECT_TRUE(ends.second.resolve(7));

  workbook::Gate dropped;
  workbook::Gate over;
  bool cancelled = true;
  {
    const auto future = go<int>(forever, [&](const Context& context) -> Result<int> {
      dropped.wait();
      cancelled = context.done();
      over.open();
      return 7;
    });
  }
  dropped.open();
  over.wait();
  EXPECT_FALSE(cancelled)
      << "the context of fn ends with the one that go was given, and on cancel()";
}

TEST(Basic, EveryCallbackRuns) {
  auto [future, resolver] = make_future<int>();
  std::vector<int> called(100);
  for (auto& calls : called) {
    future.on_settled([&calls](const Result<int>& result) { calls += *result; });
  }
  resolver.resolve(1);
  EXPECT_EQ(called, std::vector<int>(100, 1)) << "each of the hundred must run exactly once";
}

TEST(Basic, AnAwaitGivesUpWhenItsContextEnds) {
  auto [future, resolver] = make_future<int>();
  const auto deadline = with_timeout(forever, 5ms);
  EXPECT_EQ(show(future.await(deadline.context())), "error deadline exceeded");
  auto source = with_cancel(forever);
  source.cancel();
  EXPECT_EQ(show(future.await(source.context())), "error cancelled");
  EXPECT_FALSE(future.settled()) << "giving up is the awaiter's affair, not an outcome";
  EXPECT_FALSE(resolver.context().done()) << "others may still want it: only cancel() asks to stop";
  EXPECT_TRUE(resolver.resolve(1));
  EXPECT_EQ(show(future.await(forever)), "value 1");
}

TEST(Basic, AResultThatIsThereBeatsACancelledContext) {
  auto source = with_cancel(forever);
  source.cancel();
  auto [future, resolver] = make_future<int>();
  auto [failed, rejecter] = make_future<int>();
  resolver.resolve(1);
  rejecter.reject(Error{Errc::unavailable, "no stock"});
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(show(future.await(source.context())), "value 1")
        << "look for the result first, and only then at the context";
    ASSERT_EQ(show(failed.await(source.context())), "error unavailable")
        << "an error is a result as well";
  }
}

TEST(Basic, CancelEndsTheContextOfTheProducerAndSettlesNothing) {
  auto [future, resolver] = make_future<int>();
  const auto producer = resolver.context();
  EXPECT_FALSE(producer.done());
  future.cancel();
  EXPECT_TRUE(producer.done());
  EXPECT_TRUE(resolver.context().done());
  ASSERT_TRUE(producer.error().has_value());
  EXPECT_EQ(producer.error()->code, Errc::cancelled);
  EXPECT_FALSE(future.settled()) << "cancel() is a request: settling is up to the producer";
  EXPECT_TRUE(resolver.resolve(8)) << "the producer was nearly done and delivers anyway";
  EXPECT_EQ(show(future.await(forever)), "value 8");
}

TEST(Basic, CancelAfterSettlingDoesNothing) {
  auto [future, resolver] = make_future<int>();
  const auto producer = resolver.context();
  resolver.resolve(1);
  const bool done_before = producer.done();
  future.cancel();
  EXPECT_EQ(producer.done(), done_before)
      << "the producer may have handed its context on: that work did not ask to be stopped";
  EXPECT_EQ(show(future.await(forever)), "value 1");
}

TEST(Basic, GoReturnsAtOnceAndDeliversLater) {
  auto gate = std::make_shared<workbook::Gate>();
  auto future = go<int>(forever, [gate](const Context&) -> Result<int> {
    gate->wait();
    return 42;
  });
  EXPECT_FALSE(future.settled());
  gate->open();
  EXPECT_EQ(show(future.await(forever)), "value 42");

  auto failing = go<Plain>(forever, [](const Context&) -> Result<Plain> {
    return std::unexpected(Error{Errc::not_found, "nobody"});
  });
  EXPECT_EQ(failing.await(forever).error().code, Errc::not_found);
}

TEST(Basic, GoPassesTheContextOn) {
  auto source = with_timeout(forever, 1h);
  auto started = std::make_shared<workbook::Gate>();
  auto deadline = std::make_shared<std::optional<Clock::time_point>>();
  auto future = go<int>(source.context(), [=](const Context& context) -> Result<int> {
    *deadline = context.deadline();
    started->open();
    if (context.sleep_for(workbook::patience)) return 1;
    return std::unexpected(*context.error());
  });
  started->wait();
  EXPECT_EQ(*deadline, source.context().deadline()) << "the function can't see the deadline";
  source.cancel();
  EXPECT_EQ(show(future.await(forever)), "error cancelled")
      << "the context that go() was given was cancelled, and the function never noticed";
}

TEST(Basic, CancelReachesTheFunctionOfGo) {
  auto source = with_cancel(forever);
  auto future = go<int>(source.context(), [](const Context& context) -> Result<int> {
    if (context.sleep_for(workbook::patience)) return 1;
    return std::unexpected(*context.error());
  });
  future.cancel();
  EXPECT_EQ(show(future.await(forever)), "error cancelled");
  EXPECT_FALSE(source.context().done()) << "cancelling one future cancelled its parent's context";
}

TEST(Basic, WhatTheFunctionOfGoSaysOnceItWasStoppedIsTheOutcome) {
  const Error half_way{Errc::invalid_argument, "half of it is done, resume at 17"};
  auto ready = go<int>(forever, [](const Context& context) -> Result<int> {
    context.sleep_for(workbook::patience);
    return 1;
  });
  auto stopped = go<int>(forever, [half_way](const Context& context) -> Result<int> {
    context.sleep_for(workbook::patience);
    return std::unexpected(half_way);
  });
  ready.cancel();
  stopped.cancel();
  EXPECT_EQ(show(ready.await(forever)), "value 1");
  const auto result = stopped.await(forever);
  ASSERT_FALSE(result.has_value()) << show(result);
  EXPECT_EQ(result.error(), half_way)
      << "the function was asked to stop, and said what came of it: that is the outcome";
}

}  // namespace future_suite

#endif
