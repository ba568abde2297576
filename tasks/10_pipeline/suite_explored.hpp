// Task 10: small races, for the schedule explorer to try in every order.
#pragma once

#include "suite_support.hpp"

namespace pipeline_suite {

TEST(Explored, AStageMadeWhileTheHeadSettles) {
  Source<int> source;
  const auto first = map<int>(forever, source.future, plus_one);
  std::jthread producer([&] { source.resolve(1); });
  const auto second = map<int>(forever, first, plus_one);
  EXPECT_EQ(show(second.await(forever)), "value 3");
}

TEST(Explored, ARecoverMadeWhileTheHeadFails) {
  Source<int> source;
  std::jthread producer([&] { source.fail(Errc::not_found); });
  const auto safe =
      recover<int>(forever, source.future, [](const Error&) -> Result<int> { return 7; });
  EXPECT_EQ(show(safe.await(forever)), "value 7");
}

TEST(Explored, AnInnerFutureThatSettlesWhileThenTurnsToIt) {
  Source<int> head;
  Source<int> inner;
  const auto output =
      then<int>(forever, head.future, [&](const Context&, int) { return inner.future; });
  {
    std::jthread first([&] { head.resolve(1); });
    std::jthread second([&] { inner.resolve(2); });
  }
  EXPECT_EQ(show(output.await(forever)), "value 2");
}

TEST(Explored, TheContextEndsWhileAStageIsMade) {
  Source<int> source;
  auto scope = with_cancel(forever);
  Future<int> output;
  {
    std::jthread canceller([&] { scope.cancel(); });
    output = map<int>(scope.context(), source.future, plus_one);
  }
  EXPECT_EQ(outcome(output), "error cancelled")
      << "the context ended before the stage, after it, or right in the middle";
  EXPECT_TRUE(source.cancelled());
}

TEST(Explored, ACancellationRacesTheValue) {
  const int before = Tracked::live();
  {
    Source<int> source;
    auto scope = with_cancel(forever);
    std::atomic<int> calls{0};
    const auto output =
        map<int>(scope.context(), source.future, [&, captured = Tracked(7)](int) -> Result<int> {
          ++calls;
          return captured.value;
        });
    {
      std::jthread canceller([&] { scope.cancel(); });
      source.resolve(1);
    }
    const auto result = outcome(output);
    EXPECT_TRUE(result == "error cancelled" || (result == "value 7" && calls == 1))
        << result << " after " << calls << " calls";
    EXPECT_TRUE(eventually([&] { return Tracked::live() == before; }))
        << "the function has run, or never will; it is still alive";
  }
}

TEST(Explored, ACancelledOutputRacesTheValue) {
  Source<int> source;
  std::atomic<int> calls{0};
  const auto output = map<int>(forever, source.future, [&](int) -> Result<int> {
    ++calls;
    return 7;
  });
  {
    std::jthread canceller([&] { output.cancel(); });
    source.resolve(1);
  }
  const auto result = outcome(output);
  EXPECT_TRUE(result.starts_with("error") || (result == "value 7" && calls == 1))
      << result << " after " << calls << " calls";
}

TEST(Explored, ACancellationMeetsAThenThatTurnsToItsInnerFuture) {
  Source<int> head;
  Source<int> inner;
  auto scope = with_cancel(forever);
  std::atomic<int> calls{0};
  const auto output = then<int>(scope.context(), head.future, [&](const Context&, int) {
    ++calls;
    return inner.future;
  });
  {
    std::jthread canceller([&] { scope.cancel(); });
    head.resolve(1);
  }
  EXPECT_EQ(outcome(output), "error cancelled") << "the inner future never settles";
  if (calls == 1) {
    EXPECT_TRUE(inner.cancelled())
        << "the function returned this future, nobody waits for it any more, and its producer was "
           "not told";
  }
}

TEST(Explored, NoFunctionRunsUnderAContextThatWasSeenToHaveEnded) {
  Source<int> source;
  auto scope = with_cancel(forever);
  std::atomic<int> calls{0};
  const auto output = map<int>(scope.context(), source.future, [&](int) -> Result<int> {
    ++calls;
    return 7;
  });
  bool had_ended = false;
  {
    std::jthread canceller([&] { scope.cancel(); });
    had_ended = scope.context().done();
    source.resolve(1);
  }
  (void)outcome(output);
  if (had_ended) {
    EXPECT_EQ(calls, 0) << "the context had ended before the value was there";
    EXPECT_EQ(outcome(output), "error cancelled");
  }
}

TEST(Explored, RecoverDoesNotTakeItsOwnCancellationForAFailure) {
  Source<int> source;
  auto scope = with_cancel(forever);
  std::atomic<int> calls{0};
  const auto output =
      recover<int>(scope.context(), source.future, [&](const Error&) -> Result<int> {
        ++calls;
        return 7;
      });
  {
    std::jthread producer([&] {
      (void)scope.context().sleep_for(workbook::patience);
      source.fail(Errc::unavailable);
    });
    scope.cancel();
  }
  EXPECT_TRUE(outcome(output).starts_with("error")) << outcome(output);
  EXPECT_EQ(calls, 0) << "the producer failed because it was asked to stop";
}

TEST(Explored, TwoStagesOnOneFuture) {
  Source<int> source;
  std::jthread producer([&] { source.resolve(1); });
  const auto one = map<int>(forever, source.future, plus_one);
  const auto two = map<int>(forever, source.future, plus_one);
  EXPECT_EQ(show(one.await(forever)), "value 2");
  EXPECT_EQ(show(two.await(forever)), "value 2");
}

TEST(Explored, TwoStagesMadeAtOnce) {
  const auto make = [](const Future<int>& future) {
    return then<int>(forever, future, [](const Context&, int value) { return ready(value + 1); });
  };
  const auto start = ready(1);
  const auto first = make(start);
  std::jthread other([&] { EXPECT_EQ(show(make(first).await(forever)), "value 3"); });
  EXPECT_EQ(show(make(first).await(forever)), "value 3");
}

TEST(Explored, WhoHasTheResultMayDropEverything) {
  auto source = std::make_unique<Source<int>>();
  auto scope = std::make_unique<CancelSource>(with_cancel(forever));
  auto output = map<int>(scope->context(), source->future, plus_one);
  std::jthread producer([writer = std::move(source->resolver)]() mutable { writer.resolve(1); });
  EXPECT_EQ(show(output.await(forever)), "value 2");
  output = Future<int>();
  scope.reset();  // the producer may still be on its way back
  source.reset();
}

TEST(Explored, TheCancellerMayDropEverything) {
  auto source = std::make_unique<Source<int>>();
  auto scope = with_cancel(forever);
  auto output = map<int>(scope.context(), source->future, plus_one);
  std::jthread producer([writer = std::move(source->resolver)]() mutable { writer.resolve(1); });
  source.reset();
  scope.cancel();
  const auto result = show(output.await(forever));
  EXPECT_TRUE(result == "value 2" || result == "error cancelled") << result;
  output = Future<int>();
}

TEST(Explored, ACancellationAndACancelledOutputAndAValue) {
  Source<int> source;
  auto scope = with_cancel(forever);
  const auto output = map<int>(scope.context(), source.future, plus_one);
  {
    std::jthread canceller([&] { scope.cancel(); });
    std::jthread other([&] { output.cancel(); });
    source.resolve(1);
  }
  const auto result = outcome(output);
  EXPECT_TRUE(result == "value 2" || result == "error cancelled") << result;
}

TEST(Explored, ACancellationGoesUpWhileAValueComesDown) {
  Source<int> source;
  auto scope = with_cancel(forever);
  auto output = map<int>(forever, source.future, plus_one);
  output = map<int>(scope.context(), output, plus_one);
  {
    std::jthread canceller([&] { scope.cancel(); });
    source.resolve(1);
  }
  const auto result = outcome(output);
  EXPECT_TRUE(result == "value 3" || result == "error cancelled") << result;
}

}  // namespace pipeline_suite
