// Task 10: a thousand stages take no thread, a hundred thousand no deep stack.
#pragma once

#include <algorithm>

#include "suite_support.hpp"

namespace pipeline_suite {

inline const std::size_t many = workbook::rounds(100'000);
inline const std::size_t enough = workbook::rounds(30'000);  // to overflow a stack, and done sooner

// Adds stages of all kinds to a pipeline of values that counts them.
inline Future<int> extended(const Context& context, Future<int> future, std::size_t stages) {
  for (std::size_t i = 0; i < stages; ++i) {
    switch (i % 3) {
      case 0:
        future = map<int>(context, std::move(future), plus_one);
        break;
      case 1:
        future = then<int>(context, std::move(future),
                           [](const Context&, int value) { return ready(value + 1); });
        break;
      default:
        future = recover<int>(context, std::move(future),
                              [](const Error&) -> Result<int> { return -1; });
    }
  }
  return future;
}

inline std::string counted(std::size_t stages) {
  return "value " + std::to_string(stages - stages / 3);  // recover does not count
}

// A map per stage, so that an error has to go all the way.
inline Future<int> mapped(const Context& context, Future<int> future, std::size_t stages) {
  for (std::size_t i = 0; i < stages; ++i) {
    future = map<int>(context, std::move(future), plus_one);
  }
  return future;
}

// A then per stage, each of which waits for the future that the last one gave.
inline Future<int> nested(const Context& context, Future<int> future, std::size_t stages) {
  const auto start = ready(0);
  for (std::size_t i = 0; i < stages; ++i) {
    future = then<int>(context, start, [inner = future](const Context&, int) { return inner; });
  }
  return future;
}

TEST(Lifecycle, PendingStagesTakeNoThread) {
  const std::size_t stages = workbook::crowd(1000);
  for (const auto& kind : kinds) {
    SCOPED_TRACE(kind.name);
    Source<int> source;
    auto scope = with_cancel(forever);
    const auto before = workbook::live_threads();
    auto output = source.future;
    std::vector<Future<int>> outputs;
    for (std::size_t i = 0; i < stages; ++i) {
      output = kind.stage(scope.context(), i % 2 == 0 ? output : source.future, [] {});
      outputs.push_back(output);
    }
    EXPECT_LE(workbook::live_threads(), before + 10)  // room for a helper or two
        << stages << " stages are pending. A stage that waits is something to be called, not a "
        << "thread: on_settled()";
    scope.cancel();
    for (const auto& one : outputs) EXPECT_NE(outcome(one), "nothing");
  }
}

TEST(Lifecycle, PendingInnerFuturesTakeNoThread) {
  const std::size_t stages = workbook::crowd(1000);
  Source<int> inner;
  const auto start = ready(0);
  std::atomic<std::size_t> called{0};
  const auto before = workbook::live_threads();
  std::vector<Future<int>> outputs;
  for (std::size_t i = 0; i < stages; ++i) {
    outputs.push_back(then<int>(forever, start, [&](const Context&, int) {
      ++called;
      return inner.future;
    }));
  }
  EXPECT_TRUE(eventually([&] { return called == stages; }));
  EXPECT_LE(workbook::live_threads(), before + 10)
      << stages << " functions have returned futures that are pending";
  inner.resolve(1);
  for (const auto& one : outputs) EXPECT_EQ(outcome(one), "value 1");
}

TEST(Lifecycle, AHundredThousandStagesMadeBeforeTheHeadSettles) {
  Source<int> source;
  const auto output = extended(forever, source.future, many);
  source.resolve(0);
  EXPECT_EQ(show(output.await(forever)), counted(many));
}

TEST(Lifecycle, AHundredThousandStagesMadeAfterTheHeadHasSettled) {
  EXPECT_EQ(show(extended(forever, ready(0), many).await(forever)), counted(many));
}

TEST(Lifecycle, ALongPipelineMadeWhileTheHeadSettles) {
  Source<int> source;
  const auto half = extended(forever, source.future, enough / 6 * 3);
  std::jthread producer([&] { source.resolve(0); });
  const auto output = extended(forever, half, enough / 6 * 3);
  EXPECT_EQ(show(output.await(forever)), counted(enough / 6 * 6));
}

TEST(Lifecycle, AnErrorPassesALongPipeline) {
  Source<int> source;
  const auto output = mapped(forever, source.future, enough);
  source.fail(Errc::unavailable);
  EXPECT_EQ(show(output.await(forever)), "error unavailable");
}

TEST(Lifecycle, TheOutputOfALongPipelineMayBeCancelled) {
  Source<int> source;
  const auto output = extended(forever, source.future, enough);
  output.cancel();
  source.fail(Errc::cancelled);
  (void)output.await(forever);
}

TEST(Lifecycle, AContextThatEndsSettlesALongPipeline) {
  Source<int> source;
  auto scope = with_cancel(forever);
  const auto output = extended(scope.context(), source.future, enough);
  scope.cancel();
  EXPECT_EQ(show(output.await(forever)), "error cancelled");
  EXPECT_TRUE(eventually([&] { return source.resolver.context().done(); }));
}

TEST(Lifecycle, AContextThatEndsOneStageOfALongPipelineEndsWhatIsBehindIt) {
  Source<int> source;
  auto scope = with_cancel(forever);
  const auto before = mapped(forever, source.future, enough / 2);
  const auto output = mapped(forever, map<int>(scope.context(), before, plus_one), enough / 2);
  scope.cancel();
  EXPECT_EQ(show(output.await(forever)), "error cancelled");
  source.fail(Errc::cancelled);
  (void)before.await(forever);
}

TEST(Lifecycle, ManyFuturesWithinFutures) {
  Source<int> source;
  const auto output = nested(forever, source.future, enough);
  source.resolve(7);
  EXPECT_EQ(show(output.await(forever)), "value 7");
}

TEST(Lifecycle, TheOutputOfFuturesWithinFuturesMayBeCancelled) {
  Source<int> source;
  const auto output = nested(forever, source.future, enough);
  output.cancel();
  source.fail(Errc::cancelled);
  (void)output.await(forever);
}

TEST(Lifecycle, ALongPendingPipelineMayBeDropped) {
  for (const bool nest : {false, true}) {
    auto source = std::make_unique<Source<int>>();
    Future<int> output = nest ? nested(forever, source->future, enough)
                              : extended(forever, mapped(forever, source->future, 1), enough);
    auto told = std::make_shared<workbook::Gate>();
    output.on_settled([told](const Result<int>&) { told->open(); });
    output = Future<int>();
    source.reset();  // the last thing that held any of it from outside
    EXPECT_TRUE(told->wait_for()) << "the head's promise was broken; the last stage never heard";
  }
}

TEST(Lifecycle, ALongSettledPipelineMayBeDropped) {
  for (const bool forwards : {false, true}) {
    std::vector<Future<int>> outputs;
    outputs.reserve(enough + 1);
    {
      Source<int> source;
      outputs.push_back(source.future);
      for (std::size_t i = 0; i < enough; ++i)
        outputs.push_back(extended(forever, outputs.back(), 1));
      source.resolve(0);
      (void)outputs.back().await(forever);
    }
    if (!forwards) std::ranges::reverse(outputs);
    const auto last = outputs.back();
    outputs.clear();
    EXPECT_TRUE(last.settled());
  }
}

}  // namespace pipeline_suite
