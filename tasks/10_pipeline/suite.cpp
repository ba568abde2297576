// What then, map and recover must do. Every test is a sentence; a failure says what was seen and
// what to think about next.
#include <concepts>
#include <utility>

#include "suite_explored.hpp"
#include "suite_support.hpp"

#ifndef WORKBOOK_RUNS_EXPLORED_ONLY
#include "suite_lifecycle.hpp"
#include "suite_long.hpp"
#include "suite_others.hpp"
#include "suite_stress.hpp"

namespace pipeline_suite {

// The types of the contract: a value of any other could compare equal to whatever is expected.
static_assert(
    requires(const Context& context, const Future<int>& future,
             Fn<Future<long>(const Context&, int)>& next) {
      { futures::then<long>(context, future, std::move(next)) } -> std::same_as<Future<long>>;
    },
    "then<U>() returns a Future<U>");
static_assert(
    requires(const Context& context, const Future<int>& future, Fn<Result<long>(int)>& mapped) {
      { futures::map<long>(context, future, std::move(mapped)) } -> std::same_as<Future<long>>;
    }, "map<U>() returns a Future<U>");
static_assert(
    requires(const Context& context, const Future<int>& future, Fn<Result<int>(Error)>& recovered) {
      { futures::recover(context, future, std::move(recovered)) } -> std::same_as<Future<int>>;
    }, "recover() returns a Future<T>");

TEST(Basic, MapAppliesAFunctionToTheValue) {
  Source<int> source;
  const auto text = map<std::string>(forever, source.future, [](int value) -> Result<std::string> {
    return "number " + std::to_string(value);
  });
  EXPECT_FALSE(text.settled()) << "nothing has come in yet";
  source.resolve(7);
  EXPECT_EQ(outcome(text), "value \"number 7\"");
}

TEST(Basic, ThenWaitsForBothFutures) {
  Source<int> source;
  Source<std::string> inner;
  const auto both =
      then<std::string>(forever, source.future, [&](const Context&, int) { return inner.future; });
  source.resolve(7);
  EXPECT_FALSE(both.settled()) << "the function's future is still pending";
  inner.resolve("seven");
  EXPECT_EQ(outcome(both), "value \"seven\"");
}

TEST(Basic, ThenHandsOnTheValue) {
  const auto both = then<int>(
      forever, ready<std::string>("seven"),
      [](const Context&, const std::string& text) { return ready(static_cast<int>(text.size())); });
  EXPECT_EQ(outcome(both), "value 5");
}

TEST(Basic, ThenMayStartWork) {
  const auto both = then<int>(forever, ready(6), [](const Context& context, int value) {
    return go<int>(context, [value](const Context&) -> Result<int> { return value * 7; });
  });
  EXPECT_EQ(outcome(both), "value 42");
}

TEST(Basic, RecoverReplacesAnError) {
  Source<int> source;
  std::string seen;
  const auto safe = recover<int>(forever, source.future, [&](const Error& error) -> Result<int> {
    seen = error.code.message() + ", " + error.message;
    return 0;
  });
  source.fail(Errc::not_found, "no such page");
  EXPECT_EQ(outcome(safe), "value 0");
  EXPECT_EQ(seen, "not found, no such page") << "the function gets the error as it was";
}

TEST(Basic, RecoverLeavesAValueAlone) {
  Source<int> source;
  std::atomic<int> calls{0};
  const auto safe = recover<int>(forever, source.future, [&](const Error&) -> Result<int> {
    ++calls;
    return 0;
  });
  source.resolve(7);
  EXPECT_EQ(outcome(safe), "value 7");
  EXPECT_EQ(calls, 0) << "there was nothing to recover from";
}

TEST(Basic, TheFunctionsMayFail) {
  const Error broken{Errc::corrupt, "torn"};
  const auto mapped =
      map<int>(forever, ready(1), [&](int) -> Result<int> { return std::unexpected(broken); });
  EXPECT_EQ(mapped.await(forever), std::unexpected(broken));
  const auto chained = then<int>(
      forever, ready(1), [](const Context&, int) { return failed<int>(Errc::corrupt, "torn"); });
  EXPECT_EQ(chained.await(forever), std::unexpected(broken));
  const auto recovered =
      recover<int>(forever, failed<int>(Errc::not_found),
                   [&](const Error&) -> Result<int> { return std::unexpected(broken); });
  EXPECT_EQ(recovered.await(forever), std::unexpected(broken));
}

TEST(Basic, AnErrorPassesThroughTheStages) {
  Source<int> source;
  std::atomic<int> calls{0};
  const auto mapped = map<int>(forever, source.future, [&](int) -> Result<int> {
    ++calls;
    return 1;
  });
  const auto chained = then<std::string>(forever, mapped, [&](const Context&, int) {
    ++calls;
    return ready<std::string>("never");
  });
  source.fail(Errc::unavailable, "no route to host");
  const Error expected{Errc::unavailable, "no route to host"};
  EXPECT_EQ(chained.await(forever), std::unexpected(expected));
  EXPECT_EQ(mapped.await(forever), std::unexpected(expected));
  EXPECT_EQ(calls, 0) << "there was no value to call a function with";
}

TEST(Basic, StagesMayBeMadeAfterTheFutureIsSettled) {
  const auto value = ready(1);
  const auto chained =
      then<int>(forever, value, [](const Context&, int v) { return ready(v + 1); });
  const auto mapped = map<int>(forever, chained, plus_one);
  const auto safe = recover<int>(forever, mapped, [](const Error&) -> Result<int> { return 0; });
  EXPECT_EQ(outcome(safe), "value 3");
}

TEST(Basic, APipelineOfAllKinds) {
  Source<int> user;
  const auto orders = then<std::vector<int>>(forever, user.future, [](const Context&, int id) {
    return ready(std::vector<int>{id, id + 1, id + 2});
  });
  const auto sum = map<int>(forever, orders, [](const std::vector<int>& all) -> Result<int> {
    int total = 0;
    for (const int one : all) total += one;
    return total;
  });
  const auto checked = map<int>(forever, sum, [](int total) -> Result<int> {
    if (total > 10) return std::unexpected(Error{Errc::invalid_argument, "too dear"});
    return total;
  });
  const auto safe = recover<int>(forever, checked, [](const Error&) -> Result<int> { return -1; });
  user.resolve(10);
  EXPECT_EQ(outcome(sum), "value 33");
  EXPECT_EQ(outcome(checked), "error invalid argument");
  EXPECT_EQ(outcome(safe), "value -1");
}

TEST(Basic, ManyStagesOnOneFutureAllGetTheValue) {
  Source<int> source;
  std::vector<Future<int>> outputs;
  for (int i = 0; i < 10; ++i) {
    outputs.push_back(
        map<int>(forever, source.future, [i](int v) -> Result<int> { return v + i; }));
  }
  source.resolve(100);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(outcome(outputs[i]), "value " + std::to_string(100 + i));
}

TEST(Basic, AnExceptionIsAnError) {
  const std::runtime_error exception("out of paper");
  const auto mapped = map<int>(forever, ready(1), [&](int) -> Result<int> { throw exception; });
  const auto chained =
      then<int>(forever, ready(1), [&](const Context&, int) -> Future<int> { throw exception; });
  const auto recovered = recover<int>(forever, failed<int>(Errc::not_found),
                                      [&](const Error&) -> Result<int> { throw exception; });
  for (const auto& future : {mapped, chained, recovered}) {
    EXPECT_EQ(outcome(future), "error exception");
  }
}

TEST(Basic, ABrokenPromiseIsAnErrorLikeAnyOther) {
  auto source = std::make_unique<Source<int>>();
  const auto mapped = map<int>(forever, source->future, plus_one);
  const auto safe = recover<int>(forever, mapped, [](const Error& error) -> Result<int> {
    return error.code == Errc::broken_promise ? 7 : 0;
  });
  source.reset();
  EXPECT_EQ(outcome(mapped), "error broken promise");
  EXPECT_EQ(outcome(safe), "value 7");
}

TEST(Basic, ACancelledContextEndsAPendingStage) {
  Source<int> source;
  auto scope = with_cancel(forever);
  const auto mapped = map<int>(scope.context(), source.future, plus_one);
  scope.cancel();
  EXPECT_EQ(outcome(mapped), "error cancelled") << "the future it waits for is still pending";
}

TEST(Basic, AnythingThatCanBeCopiedMayFlow) {
  struct Plain {
    explicit Plain(int n) : number(n) {}
    int number;
  };
  Source<Plain> source;
  const auto chained = then<Plain>(forever, source.future, [](const Context&, const Plain& plain) {
    return ready(Plain(plain.number + 1));
  });
  const auto mapped = map<Plain>(forever, chained, [](const Plain& plain) -> Result<Plain> {
    return Plain(plain.number + 1);
  });
  const auto safe =
      recover<Plain>(forever, mapped, [](const Error&) -> Result<Plain> { return Plain(0); });
  source.resolve(Plain(1));
  ASSERT_TRUE(safe.await(forever).has_value());
  EXPECT_EQ(safe.await(forever)->number, 3) << "Plain has no default constructor";
}

TEST(Basic, MapMayMakeWhatCanOnlyBeMoved) {
  const auto made = map<workbook::MoveOnly>(
      forever, ready(7),
      [](int value) -> Result<workbook::MoveOnly> { return workbook::MoveOnly(value); });
  auto seen = std::make_shared<std::atomic<int>>(0);
  auto told = std::make_shared<workbook::Gate>();
  made.on_settled([=](const Result<workbook::MoveOnly>& result) {
    *seen = result ? result->value : -2;
    told->open();
  });
  ASSERT_TRUE(told->wait_for());
  EXPECT_EQ(*seen, 7);
}

}  // namespace pipeline_suite

#endif
