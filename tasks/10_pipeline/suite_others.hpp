// Task 10: what happens on other threads while a function or a stop callback of the pipeline runs.
#pragma once

#include "suite_support.hpp"

namespace pipeline_suite {

TEST(Lifecycle, TheContextMayEndOnAnotherThreadWhileAFunctionRuns) {
  for (const auto& kind : kinds) {
    for (const bool by_the_output : {false, true}) {
      SCOPED_TRACE(kind.name);
      Source<int> source;
      auto scope = with_cancel(forever);
      Future<int> output;
      output = kind.stage(scope.context(), source.future, [&] {
        // With a lock of the stage held, the other thread never comes back.
        std::jthread([&] { by_the_output ? output.cancel() : scope.cancel(); }).join();
      });
      kind.call_for(source);
      const auto result = outcome(output);
      EXPECT_TRUE(result == "value 7" || result == "error cancelled") << result;
    }
  }
}

TEST(Lifecycle, AProducerMayAnswerWhileTheOutputIsBeingCancelled) {
  for (const auto& kind : kinds) {
    for (const bool with_a_value : {true, false}) {
      SCOPED_TRACE(kind.name);
      Source<int> source;
      const auto output = kind.stage(forever, source.future, [] {});
      const auto behind = kind.stage(forever, output, [] {});
      // Runs inside behind.cancel(), and settles what it has come through.
      const std::stop_callback answer(source.resolver.context().stop_token(), [&] {
        with_a_value ? source.resolve(1) : source.fail(Errc::cancelled);
      });
      behind.cancel();
      source.resolve(1);  // who is not told answers, too
      EXPECT_NE(outcome(output), "nothing");
      EXPECT_NE(outcome(behind), "nothing");
    }
  }
}

TEST(Lifecycle, AnInnerFutureMayAnswerWhileTheOutputIsBeingCancelled) {
  Source<int> inner;
  workbook::Gate called;
  const std::stop_callback answer(inner.resolver.context().stop_token(),
                                  [&] { inner.fail(Errc::cancelled); });
  const auto output = then<int>(forever, ready(1), [&](const Context&, int) {
    called.open();
    return inner.future;
  });
  ASSERT_TRUE(called.wait_for());
  output.cancel();
  inner.fail(Errc::cancelled);  // who is not told answers, too
  EXPECT_TRUE(outcome(output).starts_with("error")) << outcome(output);
}

TEST(Lifecycle, AnInnerFutureMayAnswerItsCancellationWithAValue) {
  for (const bool on_another_thread : {false, true}) {
    Source<int> inner;
    workbook::Gate called;  // before that the inner future is nobody's
    const std::stop_callback answer(inner.resolver.context().stop_token(), [&] {
      if (on_another_thread) {
        std::jthread([&] { inner.resolve(9); }).join();
      } else {
        inner.resolve(9);
      }
    });
    auto scope = with_cancel(forever);
    const auto output = then<int>(scope.context(), ready(1), [&](const Context&, int) {
      called.open();
      return inner.future;
    });
    ASSERT_TRUE(called.wait_for());
    EXPECT_FALSE(output.settled());
    scope.cancel();
    EXPECT_EQ(outcome(inner.future), "value 9");
    EXPECT_EQ(outcome(output), "error cancelled")
        << "the context ended first; what the inner future says because of that comes too late";
  }
}

}  // namespace pipeline_suite
