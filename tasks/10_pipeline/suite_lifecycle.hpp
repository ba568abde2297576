// Task 10: who is cancelled when, what may happen inside a function, and what is left afterwards.
#pragma once

#include "suite_support.hpp"

namespace pipeline_suite {

// --- the context ends, the output is cancelled ---

TEST(Lifecycle, ACancelledContextSettlesTheOutputAndReachesTheProducer) {
  for (const auto& kind : kinds) {
    SCOPED_TRACE(kind.name);
    Source<int> source;
    std::atomic<int> calls{0};
    auto scope = with_cancel(forever);
    const auto output = kind.stage(scope.context(), source.future, [&] { ++calls; });
    EXPECT_FALSE(output.settled());
    EXPECT_FALSE(source.resolver.context().done()) << "nobody has cancelled anything yet";
    scope.cancel();
    EXPECT_EQ(outcome(output), "error cancelled") << "its producer never settles";
    EXPECT_TRUE(source.cancelled()) << "nobody told the producer that its value is not wanted";
    EXPECT_FALSE(source.future.settled()) << "to cancel is to ask; the producer answers";
    kind.call_for(source);  // much too late
    let_others_act(source.future);
    EXPECT_EQ(calls, 0) << "the context had ended before there was anything to call it with";
    EXPECT_EQ(outcome(output), "error cancelled");
  }
}

TEST(Lifecycle, ADeadlineSettlesTheOutputAndReachesTheProducer) {
  for (const auto& kind : kinds) {
    SCOPED_TRACE(kind.name);
    Source<int> source;
    const auto scope = with_timeout(forever, 2ms);
    const auto output = kind.stage(scope.context(), source.future, [] {});
    EXPECT_EQ(outcome(output), "error deadline exceeded")
        << "the output fails with the error of its context";
    EXPECT_TRUE(source.cancelled());
  }
}

TEST(Lifecycle, AStageUnderAContextThatHasEndedCallsNothing) {
  for (const auto& kind : kinds) {
    SCOPED_TRACE(kind.name);
    std::atomic<int> calls{0};
    Source<int> pending;
    EXPECT_EQ(outcome(kind.stage(ended(), pending.future, [&] { ++calls; })), "error cancelled");
    EXPECT_TRUE(pending.cancelled())
        << "the producer was never told; that the context ended early is no excuse";

    Source<int> settled;
    kind.call_for(settled);
    const auto output = outcome(kind.stage(ended(), settled.future, [&] { ++calls; }));
    EXPECT_TRUE(output.starts_with("error")) << output;
    EXPECT_EQ(calls, 0) << "the context had ended before the stage was made";
  }
}

TEST(Lifecycle, AValueThatComesWithTheContextsEndIsTooLate) {
  // The head is settled from inside cancel(): the context has ended, and whoever wants to be told
  // has perhaps not been told yet.
  for (const auto& kind : kinds) {
    for (const bool registered_first : {true, false}) {
      SCOPED_TRACE(kind.name);
      Source<int> source;
      std::atomic<int> calls{0};
      auto scope = with_cancel(forever);
      const auto settle = [&] { kind.call_for(source); };
      std::optional<std::stop_callback<decltype(settle)>> early;
      std::optional<std::stop_callback<decltype(settle)>> late;
      if (registered_first) early.emplace(scope.context().stop_token(), settle);
      const auto output = kind.stage(scope.context(), source.future, [&] { ++calls; });
      if (!registered_first) late.emplace(scope.context().stop_token(), settle);
      scope.cancel();
      const auto result = outcome(output);
      EXPECT_TRUE(result.starts_with("error")) << result;
      let_others_act(source.future);
      EXPECT_EQ(calls, 0) << "context.done() was true before the head was settled";
    }
  }
}

TEST(Lifecycle, AProducerMayAnswerWhileItIsBeingCancelled) {
  for (const auto& kind : kinds) {
    for (const bool with_a_value : {true, false}) {
      SCOPED_TRACE(kind.name);
      Source<int> source;
      std::atomic<int> calls{0};
      auto scope = with_cancel(forever);
      const auto output = kind.stage(scope.context(), source.future, [&] { ++calls; });
      // Runs inside Future::cancel(). If that is called with a lock held, nobody gets any further.
      const std::stop_callback answer(source.resolver.context().stop_token(), [&] {
        with_a_value ? source.resolve(1) : source.fail(Errc::unavailable);
      });
      scope.cancel();
      const auto result = outcome(output);
      if (&kind != &kinds[2] || !with_a_value) {
        EXPECT_TRUE(result.starts_with("error")) << result << ": its caller has cancelled it";
      }
      EXPECT_TRUE(outcome(source.future) != "nothing");
      let_others_act(source.future);
      EXPECT_EQ(calls, 0) << "the producer answered because the context had ended";
    }
  }
}

TEST(Lifecycle, TheInnerFutureIsCancelledWithTheContext) {
  Source<int> head;
  Source<int> inner;
  workbook::Gate called;
  auto scope = with_cancel(forever);
  const auto output = then<int>(scope.context(), head.future, [&](const Context&, int) {
    called.open();
    return inner.future;
  });
  head.resolve(1);
  ASSERT_TRUE(called.wait_for());
  EXPECT_FALSE(output.settled());
  scope.cancel();
  EXPECT_EQ(outcome(output), "error cancelled") << "the inner future's producer never settles";
  EXPECT_TRUE(inner.cancelled()) << "what then() waits for now is the future of its function";
}

TEST(Lifecycle, AnInnerFutureThatComesAfterTheContextsEndIsCancelled) {
  for (const bool settled_before : {false, true}) {
    Source<int> head;
    Source<int> inner;
    if (settled_before) head.resolve(1);
    auto scope = with_cancel(forever);
    const auto output = then<int>(scope.context(), head.future, [&](const Context&, int) {
      scope.cancel();
      return inner.future;
    });
    if (!settled_before) head.resolve(1);
    EXPECT_EQ(outcome(output), "error cancelled");
    EXPECT_TRUE(inner.cancelled())
        << "the context ended while the function was running: nobody waits for what it returned, "
           "and its producer does not know";
  }
}

TEST(Lifecycle, TheFunctionsContextEndsWithTheStages) {
  Source<int> inner;
  auto scope = with_cancel(forever);
  std::optional<Context> given;
  workbook::Gate called;
  const auto output = then<int>(scope.context(), ready(1), [&](const Context& context, int) {
    given = context;
    called.open();
    return inner.future;
  });
  ASSERT_TRUE(called.wait_for());
  EXPECT_FALSE(given->done());
  scope.cancel();
  EXPECT_TRUE(eventually([&] { return given->done(); }))
      << "work that the function started under its context runs on";
  EXPECT_EQ(outcome(output), "error cancelled");
}

TEST(Lifecycle, TheEndOfOneContextIsNoEndOfTheOthers) {
  Source<int> first;
  Source<int> second;
  auto scope = with_cancel(forever);
  const auto stopped = map<int>(scope.context(), first.future, plus_one);
  const auto other = map<int>(forever, second.future, plus_one);
  const auto after = recover<int>(forever, stopped, [](const Error&) -> Result<int> { return 0; });
  scope.cancel();
  EXPECT_EQ(outcome(after), "value 0")
      << "the stage before it was cancelled, by its own caller; this one was not";
  EXPECT_FALSE(second.resolver.context().done());
  second.resolve(1);
  EXPECT_EQ(outcome(other), "value 2");
}

TEST(Lifecycle, WhatIsSettledStaysWhatItIs) {
  auto scope = with_cancel(forever);
  std::vector<Future<int>> outputs;
  outputs.reserve(kinds.size());
  for (const auto& kind : kinds) {
    Source<int> source;
    outputs.push_back(kind.stage(scope.context(), source.future, [] {}));
    kind.call_for(source);
    EXPECT_EQ(outcome(outputs.back()), "value 7");
  }
  scope.cancel();
  for (const auto& output : outputs) {
    output.cancel();
    EXPECT_EQ(outcome(output), "value 7");
  }
}

// --- recover ---

TEST(Lifecycle, RecoverDoesNotSwallowItsOwnCancellation) {
  // The producer does what a good producer does: it fails when it is asked to stop.
  auto scope = with_cancel(forever);
  std::atomic<int> calls{0};
  const auto work = go<int>(scope.context(), [](const Context& context) -> Result<int> {
    (void)context.sleep_for(workbook::patience);
    return std::unexpected(Error{Errc::unavailable, "interrupted"});
  });
  const auto safe = recover<int>(scope.context(), work, [&](const Error&) -> Result<int> {
    ++calls;
    return 0;
  });
  scope.cancel();
  const auto result = outcome(safe);
  EXPECT_TRUE(result.starts_with("error")) << result << ": a caller that cancels wants no value";
  (void)outcome(work);
  let_others_act(work);
  EXPECT_EQ(calls, 0);
}

TEST(Lifecycle, RecoverTakesCareOfSomebodyElsesCancellation) {
  for (const auto code : {Errc::cancelled, Errc::deadline_exceeded, Errc::broken_promise}) {
    Source<int> source;
    const auto safe =
        recover<int>(forever, source.future, [](const Error&) -> Result<int> { return 0; });
    source.fail(code);
    EXPECT_EQ(outcome(safe), "value 0")
        << "the future failed with \"" << make_error_code(code).message()
        << "\", and recover()'s own context is alive: an error like any other";
  }
}

// --- exceptions, and futures that are none ---

TEST(Lifecycle, WhateverIsThrownIsAnError) {
  for (const auto& kind : kinds) {
    SCOPED_TRACE(kind.name);
    Source<int> source;
    const auto output = kind.stage(forever, source.future, [] { throw 42; });
    EXPECT_NO_THROW(kind.call_for(source)) << "who settles the head can do nothing about it";
    EXPECT_EQ(outcome(output), "error exception") << "an int was thrown";
    Source<int> settled;
    kind.call_for(settled);
    EXPECT_EQ(outcome(kind.stage(forever, settled.future, [] { throw 42; })), "error exception");
  }
}

TEST(Lifecycle, AFunctionThatReturnsNoFutureIsAnError) {
  const auto made = then<int>(forever, ready(1), [](const Context&, int) { return Future<int>(); });
  EXPECT_TRUE(outcome(made).starts_with("error")) << outcome(made);

  Source<int> source;
  auto moved = std::make_shared<Future<int>>(ready(1));
  const Future<int> taken = std::move(*moved);
  const auto emptied =
      then<int>(forever, source.future, [moved](const Context&, int) { return *moved; });
  source.resolve(1);
  const auto result = outcome(emptied);
  if (show(moved->await(ended())).starts_with("error")) {  // a Future may refuse to be moved from
    EXPECT_TRUE(result.starts_with("error")) << result;
  }
}

TEST(Lifecycle, AStageOnNoFutureIsAnError) {
  EXPECT_TRUE(outcome(map<int>(forever, Future<int>(), plus_one)).starts_with("error"));
  const auto output =
      then<int>(forever, Future<int>(), [](const Context&, int v) { return ready(v); });
  EXPECT_TRUE(outcome(output).starts_with("error")) << outcome(output);
}

// --- chains that would wait for themselves ---

inline constexpr auto waits_for_itself =
    "the output waits for a future that waits for the output: nobody will ever settle either";

TEST(Lifecycle, AFunctionThatReturnsItsOwnOutputIsAnError) {
  Source<int> source;
  auto own = std::make_shared<Future<int>>();
  *own = then<int>(forever, source.future, [own](const Context&, int) { return *own; });
  source.resolve(1);
  const auto result = outcome(*own);
  EXPECT_TRUE(result.starts_with("error")) << result << "; " << waits_for_itself;
  own->cancel();
  *own = {};
}

TEST(Lifecycle, FuturesThatOnlyLookLikeACircleAreFine) {
  // A function may return what came before it, what stands beside it, what another one returned.
  Source<int> source;
  const auto beside = map<int>(forever, source.future, plus_one);
  const auto give_head = [&](const Context&, int) { return source.future; };
  const auto give_beside = [&](const Context&, int) { return beside; };
  const auto first = then<int>(forever, source.future, give_beside);
  const auto second = then<int>(forever, first, give_beside);
  const auto third = then<int>(forever, second, give_head);
  const auto give_third = [&](const Context&, int) { return third; };
  const auto fourth = then<int>(forever, source.future, give_third);
  source.resolve(1);
  EXPECT_EQ(outcome(first), "value 2");
  EXPECT_EQ(outcome(second), "value 2");
  EXPECT_EQ(outcome(third), "value 1");
  EXPECT_EQ(outcome(fourth), "value 1");
}

TEST(Lifecycle, AFunctionMayReturnAPipelineThatIsStillUnderWay) {
  // It waits for something, and somebody waits for the output: that alone is no circle.
  Source<int> source;
  Source<int> inner;
  const auto under_way =
      then<int>(forever, ready(1), [&](const Context&, int) { return inner.future; });
  const auto behind = map<int>(forever, under_way, plus_one);
  const auto output =
      then<int>(forever, source.future, [&](const Context&, int) { return behind; });
  const auto next = map<int>(forever, output, plus_one);
  source.resolve(1);
  EXPECT_FALSE(output.settled()) << outcome(output);
  inner.resolve(5);
  EXPECT_EQ(outcome(output), "value 6");
  EXPECT_EQ(outcome(next), "value 7");
}

TEST(Lifecycle, TwoFunctionsMayReturnTheSamePendingFuture) {
  Source<int> inner;
  const auto give = [&](const Context&, int) { return inner.future; };
  const auto first = then<int>(forever, ready(1), give);
  const auto second = then<int>(forever, map<int>(forever, first, plus_one), give);
  inner.resolve(5);
  EXPECT_EQ(outcome(first), "value 5");
  EXPECT_EQ(outcome(second), "value 5");
}

// --- what may happen inside ---

TEST(Lifecycle, AFunctionMayUseEverythingAround) {
  for (const auto& kind : kinds) {
    SCOPED_TRACE(kind.name);
    Source<int> source;
    auto scope = with_cancel(forever);
    Future<int> output;
    Future<int> made_inside;
    std::atomic<int> told{0};
    output = kind.stage(scope.context(), source.future, [&] {
      EXPECT_TRUE(source.future.settled());
      EXPECT_FALSE(output.settled()) << "its function is still running";
      EXPECT_FALSE(source.resolve(9)) << "the head was settled before";
      output.on_settled([&](const Result<int>&) { ++told; });
      made_inside =
          recover<int>(forever, source.future, [](const Error&) -> Result<int> { return 1; });
      scope.cancel();
    });
    kind.call_for(source);
    const auto result = outcome(output);
    EXPECT_TRUE(result == "value 7" || result == "error cancelled")
        << result << ": the context ended while the function ran";
    EXPECT_TRUE(eventually([&] { return told == 1; }));
    EXPECT_EQ(outcome(made_inside), "value 1");
  }
}

TEST(Lifecycle, ACallbackOnTheOutputMayUseTheOutput) {
  for (const auto& kind : kinds) {
    for (const bool cancelled : {false, true}) {
      SCOPED_TRACE(kind.name);
      Source<int> source;
      auto scope = with_cancel(forever);
      const auto output = kind.stage(scope.context(), source.future, [] {});
      std::atomic<int> told{0};
      Future<int> made_inside;
      output.on_settled([&](const Result<int>& result) {
        scope.cancel();
        output.cancel();
        EXPECT_EQ(show(output.await(forever)), show(result));
        output.on_settled([&](const Result<int>&) { ++told; });
        made_inside = map<int>(forever, output, plus_one);
        ++told;
      });
      cancelled ? scope.cancel() : kind.call_for(source);
      EXPECT_EQ(outcome(output), cancelled ? "error cancelled" : "value 7");
      EXPECT_TRUE(eventually([&] { return told == 2; }));
      EXPECT_EQ(outcome(made_inside), cancelled ? "error cancelled" : "value 8");
    }
  }
}

TEST(Lifecycle, AStageLeavesTheValueToTheOthers) {
  const std::string text = "long enough to live on the heap, from where it can be taken";
  const auto length = [](const std::string& in) -> Result<int> {
    return static_cast<int>(in.size());
  };
  for (const bool settled_before : {false, true}) {
    Source<std::string> source;
    if (settled_before) source.resolve(text);
    const auto same = recover<std::string>(
        forever, source.future, [](const Error&) -> Result<std::string> { return std::string(); });
    const auto first = map<int>(forever, same, length);
    const auto second = then<int>(
        forever, same, [&](const Context&, const std::string& in) { return ready(*length(in)); });
    if (!settled_before) source.resolve(text);
    const auto expected = "value " + std::to_string(text.size());
    EXPECT_EQ(outcome(first), expected);
    EXPECT_EQ(outcome(second), expected);
    EXPECT_EQ(same.await(forever), text) << "a future shows its value to many";
    EXPECT_EQ(source.future.await(forever), text) << "a future shows its value to many";
  }
}

TEST(Lifecycle, TheLastHandlesMayGoInsideACallback) {
  const int before = Tracked::live();
  struct Everything {
    Source<Tracked> source;
    std::optional<CancelSource> scope = with_cancel(forever);
    Future<Tracked> output;
  };
  for (const bool cancelled : {false, true}) {
    auto all = std::make_unique<Everything>();
    auto gone = std::make_shared<workbook::Gate>();
    all->output = map<Tracked>(all->scope->context(), all->source.future,
                               [captured = Tracked(1)](const Tracked& in) -> Result<Tracked> {
                                 return Tracked(in.value + captured.value);
                               });
    all->output.on_settled([&all, gone](const Result<Tracked>&) {
      all.reset();
      gone->open();
    });
    if (cancelled) {
      all->scope->cancel();
    } else {
      all->source.resolve(Tracked(1));
    }
    ASSERT_TRUE(gone->wait_for());
  }
  EXPECT_TRUE(eventually([&] { return Tracked::live() == before; }))
      << Tracked::live() - before << " values or captures are still alive; every handle is gone";
}

TEST(Lifecycle, CallbacksOnTheOutputRunOnce) {
  for (const auto& kind : kinds) {
    SCOPED_TRACE(kind.name);
    Source<int> source;
    auto scope = with_cancel(forever);
    std::atomic<int> calls{0};
    std::atomic<int> told{0};
    const auto output = kind.stage(scope.context(), source.future, [&] { ++calls; });
    output.on_settled([&](const Result<int>&) { ++told; });
    kind.call_for(source);
    EXPECT_EQ(outcome(output), "value 7");
    scope.cancel();
    output.cancel();
    kind.call_for(source);
    EXPECT_TRUE(eventually([&] { return told == 1 && calls == 1; }))
        << told << " callbacks, " << calls << " calls of the function";
  }
}

// --- what is left afterwards ---

// How many Tracked there are beyond `before`, once it is as few as they should be.
inline int left_over(int before, int expected = 0) {
  (void)eventually([&] { return Tracked::live() - before <= expected; });
  return Tracked::live() - before;
}

// What its captures do when they go is their own affair.
TEST(Lifecycle, AFunctionThatWillNeverRunMayUseTheOutputWhenItGoes) {
  for (const auto& kind : kinds) {
    SCOPED_TRACE(kind.name);
    auto scope = with_cancel(forever);
    Source<int> source;
    const auto output = std::make_shared<Future<int>>();
    auto cancels = std::shared_ptr<void>(nullptr, [output](void*) { output->cancel(); });
    *output = kind.stage(scope.context(), source.future, [cancels = std::move(cancels)] {});
    scope.cancel();
    EXPECT_EQ(outcome(*output), "error cancelled");
    EXPECT_TRUE(source.cancelled());
    *output = {};
  }
}

TEST(Lifecycle, AFinishedPipelineLeavesNothing) {
  const int before = Tracked::live();
  const auto scope = with_cancel(forever);  // lives on: a server's context, say
  const auto next = [captured = Tracked(1)](const Tracked& in) -> Result<Tracked> {
    return Tracked(in.value + captured.value);
  };
  const int with_next = Tracked::live();
  for (int i = 0; i < 3; ++i) {
    Source<Tracked> source;
    if (i == 1) source.resolve(Tracked(1));
    auto output = map<Tracked>(scope.context(), source.future, next);
    output = then<Tracked>(scope.context(), output,
                           [next](const Context&, const Tracked& in) { return ready(*next(in)); });
    output = recover<Tracked>(scope.context(), output,
                              [](const Error&) -> Result<Tracked> { return Tracked(0); });
    if (i == 0) source.resolve(Tracked(1));
    if (i == 2) source.fail(Errc::not_found);
    EXPECT_NE(outcome(output), "nothing");
  }
  EXPECT_EQ(left_over(with_next), 0)
      << "every handle is gone and the context knows nothing of it: who holds the values?";
  EXPECT_EQ(with_next, before + 1);
}

TEST(Lifecycle, AnAbandonedPipelineLeavesNothing) {
  const int before = Tracked::live();
  auto scope = with_cancel(forever);
  for (const bool cancelled : {false, true}) {
    {
      Source<Tracked> source;
      Source<Tracked> inner;
      const auto next = [captured = Tracked(1)](const Tracked& in) -> Result<Tracked> {
        return in;
      };
      auto output = map<Tracked>(scope.context(), source.future, next);
      output = then<Tracked>(
          scope.context(), output,
          [next, inner = inner.future](const Context&, const Tracked&) { return inner; });
      output = map<Tracked>(scope.context(), output, next);
      if (cancelled) {
        scope.cancel();
      } else {
        source.resolve(Tracked(1));
      }
    }  // the resolvers go, and nobody will settle anything any more
    EXPECT_EQ(left_over(before), 0)
        << (cancelled ? "cancelled" : "pending") << " when the last handle went";
  }
}

}  // namespace pipeline_suite
