// Task 9: small races, for the schedule explorer to try in every order.
#pragma once

#include "suite_support.hpp"

namespace combinators_suite {

TEST(Explored, TwoProducersAndAll) {
  Inputs<int> inputs(2);
  std::jthread one([&] { inputs.resolve(0, 10); });
  std::jthread two([&] { inputs.resolve(1, 11); });
  EXPECT_EQ(show(all(forever, inputs.futures)), "values 10 11");
}

// Two who count in the same word, or write into the same byte of a std::vector<bool>.
TEST(Explored, TwoProducersOfTruths) {
  Inputs<bool> inputs(2);
  std::jthread one([&] { inputs.resolve(0, true); });
  std::jthread two([&] { inputs.resolve(1, true); });
  EXPECT_EQ(show(all(forever, inputs.futures)), "values 1 1");
}

TEST(Explored, TwoProducersAndWaitAll) {
  Inputs<int> inputs(2);
  std::jthread one([&] { inputs.resolve(0, 10); });
  std::jthread two([&] { inputs.fail(1, Errc::not_found); });
  EXPECT_EQ(show(wait_all(forever, inputs.futures)), "value 10, error not found");
}

TEST(Explored, ASuccessAndAFailureAndFirst) {
  Inputs<int> inputs(2);
  std::jthread one([&] { inputs.fail(0, Errc::not_found); });
  std::jthread two([&] { inputs.resolve(1, 11); });
  EXPECT_EQ(show(first(forever, inputs.futures)), "value 11");
}

TEST(Explored, TwoFailuresAndFirst) {
  Inputs<int> inputs(2);
  std::jthread one([&] { inputs.fail(0, Errc::not_found, "zero"); });
  std::jthread two([&] { inputs.fail(1, Errc::not_found, "one"); });
  const auto result = first(forever, inputs.futures);
  ASSERT_FALSE(result.has_value());
  EXPECT_NE(result.error().message.find("zero"), std::string::npos) << result.error().message;
  EXPECT_NE(result.error().message.find("one"), std::string::npos) << result.error().message;
}

// None is missing any more, and what it was has to be known by then.
TEST(Explored, TheLastOneDecidesFirst) {
  Inputs<int> inputs(2);
  inputs.fail(0, Errc::not_found);
  std::jthread producer([&] { inputs.resolve(1, 11); });
  EXPECT_EQ(show(first(forever, inputs.futures)), "value 11");
}

TEST(Explored, TheLastOneDecidesAll) {
  Inputs<int> inputs(2);
  inputs.resolve(0, 10);
  std::jthread producer([&] { inputs.fail(1, Errc::not_found); });
  EXPECT_EQ(show(all(forever, inputs.futures)), "error not found");
}

TEST(Explored, TheLastOneCompletesWaitAll) {
  Inputs<int> inputs(2);
  inputs.fail(0, Errc::not_found);
  std::jthread producer([&] { inputs.resolve(1, 11); });
  EXPECT_EQ(show(wait_all(forever, inputs.futures)), "error not found, value 11");
}

TEST(Explored, TheErrorThatCameFirstWins) {
  Inputs<int> inputs(2);
  std::atomic<bool> certain{false};
  std::jthread producer([&] {
    certain = workbook::let_all_wait(2s);
    inputs.fail(1, Errc::unavailable);
    inputs.fail(0, Errc::not_found);
  });
  const auto result = show(all(forever, inputs.futures));
  if (certain) {
    EXPECT_EQ(result, "error unavailable")
        << "input 1 failed first; that input 0 stands before it in the list is no reason";
  }
}

TEST(Explored, TheSuccessThatCameFirstWins) {
  Inputs<int> inputs(2);
  std::atomic<bool> certain{false};
  std::jthread producer([&] {
    certain = workbook::let_all_wait(2s);
    inputs.resolve(1, 11);
    inputs.resolve(0, 10);
  });
  const auto result = show(first(forever, inputs.futures));
  if (certain) EXPECT_EQ(result, "value 11") << "input 1 succeeded first";
}

TEST(Explored, OutcomesThatCameBeforeTheCancellationCount) {
  Inputs<int> inputs(2);
  auto source = with_cancel(forever);
  std::jthread producer([&] {
    inputs.resolve(0, 10);
    inputs.resolve(1, 11);
    source.cancel();
  });
  EXPECT_EQ(show(all(source.context(), inputs.futures)), "values 10 11");
}

TEST(Explored, ASuccessThatCameBeforeTheCancellationCounts) {
  Inputs<int> inputs(2);
  auto source = with_cancel(forever);
  std::jthread producer([&] {
    inputs.resolve(1, 11);
    source.cancel();
  });
  EXPECT_EQ(show(first(source.context(), inputs.futures)), "value 11");
}

TEST(Explored, WaitAllKeepsWhatCameBeforeTheCancellation) {
  Inputs<int> inputs(2);
  auto source = with_cancel(forever);
  std::jthread producer([&] {
    inputs.resolve(1, 11);
    source.cancel();
  });
  EXPECT_EQ(show(wait_all(source.context(), inputs.futures)), "error cancelled, value 11");
}

TEST(Explored, ACancellationWakesAll) {
  Inputs<int> inputs(2);
  inputs.resolve(0, 10);
  auto source = with_cancel(forever);
  std::jthread canceller([&] { source.cancel(); });
  EXPECT_EQ(show(all(source.context(), inputs.futures)), "error cancelled");
}

TEST(Explored, ACancellationWakesFirst) {
  Inputs<int> inputs(2);
  inputs.fail(0, Errc::not_found);
  auto source = with_cancel(forever);
  std::jthread canceller([&] { source.cancel(); });
  EXPECT_EQ(show(first(source.context(), inputs.futures)), "error cancelled");
}

// One input settles while the context ends, the other never does.
template <class Call>
std::string outcome_of_a_race(Call call) {
  Inputs<std::string> inputs(2);
  auto source = with_cancel(forever);
  std::jthread producer([&] { inputs.resolve(0, "ten"); });
  std::jthread canceller([&] { source.cancel(); });
  return show(call(source.context(), inputs.futures));
}

TEST(Explored, AnInputOfAllSettlesWhileTheContextEnds) {
  const auto result = outcome_of_a_race(
      [](const Context& context, auto futures) { return all(context, std::move(futures)); });
  EXPECT_EQ(result, "error cancelled");
}

TEST(Explored, AnInputOfFirstSettlesWhileTheContextEnds) {
  const auto result = outcome_of_a_race(
      [](const Context& context, auto futures) { return first(context, std::move(futures)); });
  EXPECT_TRUE(result == "value \"ten\"" || result == "error cancelled") << result;
}

TEST(Explored, AnInputOfWaitAllSettlesWhileTheContextEnds) {
  const auto result = outcome_of_a_race(
      [](const Context& context, auto futures) { return wait_all(context, std::move(futures)); });
  EXPECT_TRUE(result == "value \"ten\", error cancelled" ||
              result == "error cancelled, error cancelled")
      << result;
}

TEST(Explored, AFailureThatCameBeforeTheCancellationCounts) {
  Inputs<int> inputs(2);
  auto source = with_cancel(forever);
  std::jthread producer([&] {
    inputs.fail(1, Errc::unavailable);
    source.cancel();
  });
  EXPECT_EQ(show(all(source.context(), inputs.futures)), "error unavailable");
}

TEST(Explored, WhoLostHasBeenCancelledWhenTheCallReturns) {
  Inputs<int> inputs(3);
  std::jthread producer([&] {
    inputs.fail(0, Errc::unavailable);
    inputs.resolve(1, 11);
  });
  EXPECT_EQ(show(all<int>(forever, {inputs.futures[0], inputs.futures[2]})), "error unavailable");
  EXPECT_TRUE(inputs.resolvers[2].context().done())
      << "all has returned, and its pending input has not been cancelled yet";
  Inputs<int> loser(1);
  EXPECT_EQ(show(first<int>(forever, {inputs.futures[1], loser.futures[0]})), "value 11");
  EXPECT_TRUE(loser.resolvers[0].context().done())
      << "first has returned, and the loser has not been cancelled yet";
}

TEST(Explored, AnInputMaySettleWhileAllReturns) {
  Inputs<int> inputs(2);
  std::jthread late([&] { inputs.resolve(0, 10); });
  std::jthread producer([&] { inputs.fail(1, Errc::unavailable); });
  {
    const auto futures = inputs.futures;
    EXPECT_EQ(show(all(forever, futures)), "error unavailable");
  }  // the late one may be anywhere: before its callback, inside, done
}

TEST(Explored, AnInputOfTheCallBeforeSettlesDuringTheNext) {
  Inputs<int> before(2);
  Inputs<int> next(2);
  before.fail(1, Errc::unavailable);
  next.resolve(1, 21);
  std::jthread producer([&] {
    before.resolve(0, 10);
    next.resolve(0, 20);
  });
  EXPECT_EQ(show(all(forever, before.futures)), "error unavailable");
  EXPECT_EQ(show(all(forever, next.futures)), "values 20 21");
}

TEST(Explored, ALoserMayAnswerWhileFirstReturns) {
  (void)first(forever, std::vector<Future<int>>{});  // before any thread relies on it
  Inputs<int> inputs(2);
  std::jthread loser([&] {
    EXPECT_FALSE(inputs.resolvers[0].context().sleep_for(workbook::patience))
        << "the race is over, and the loser was never told";
    inputs.fail(0, Errc::cancelled);
  });
  std::jthread winner([&] { inputs.resolve(1, 11); });
  EXPECT_EQ(show(first(forever, inputs.futures)), "value 11");
}

}  // namespace combinators_suite
