// What all, first and wait_all must do. Every test is a sentence; a failure says what was seen and
// what to think about next.
#include <concepts>

#include "suite_explored.hpp"
#include "suite_support.hpp"

#ifndef WORKBOOK_RUNS_EXPLORED_ONLY
#include "suite_lifecycle.hpp"
#include "suite_stress.hpp"

namespace combinators_suite {

// The types of the contract: a value of any other could compare equal to whatever is expected.
static_assert(
    requires(const Context& context, const std::vector<Future<int>>& inputs) {
      { futures::all(context, inputs) } -> std::same_as<Result<std::vector<int>>>;
    }, "all() returns a Result<std::vector<T>>");
static_assert(
    requires(const Context& context, const std::vector<Future<int>>& inputs) {
      { futures::first(context, inputs) } -> std::same_as<Result<int>>;
    }, "first() returns a Result<T>");
static_assert(
    requires(const Context& context, const std::vector<Future<int>>& inputs) {
      { futures::wait_all(context, inputs) } -> std::same_as<std::vector<Result<int>>>;
    }, "wait_all() returns a std::vector<Result<T>>");

TEST(Basic, AllReturnsTheValuesInTheOrderOfTheInputs) {
  Inputs<int> inputs(3);
  std::jthread producer([&] {
    inputs.resolve(2, 12);
    inputs.resolve(0, 10);
    inputs.resolve(1, 11);
  });
  EXPECT_EQ(show(all(forever, inputs.futures)), "values 10 11 12");
}

TEST(Basic, AllFailsAtOnceWhateverThePosition) {
  for (std::size_t position = 0; position < 3; ++position) {
    Inputs<int> inputs(3);  // the other two stay pending for as long as all() runs
    std::jthread producer([&] { inputs.fail(position, Errc::not_found); });
    EXPECT_EQ(show(all(forever, inputs.futures)), "error not found")
        << "input " << position << " failed while the others were pending";
  }
}

TEST(Basic, FirstReturnsTheFirstSuccess) {
  for (std::size_t position = 0; position < 3; ++position) {
    Inputs<int> inputs(3);
    std::jthread producer([&] { inputs.resolve(position, 7); });
    EXPECT_EQ(show(first(forever, inputs.futures)), "value 7")
        << "input " << position << " succeeded while the others were pending";
  }
}

TEST(Basic, FirstIgnoresFailuresWhileThereIsHope) {
  Inputs<int> inputs(3);
  inputs.fail(0, Errc::not_found);
  std::jthread producer([&] {
    inputs.fail(2, Errc::unavailable);
    inputs.resolve(1, 7);
  });
  EXPECT_EQ(show(first(forever, inputs.futures)), "value 7");
}

TEST(Basic, FirstWithoutASuccessNamesEveryFailure) {
  Inputs<int> inputs(3);
  inputs.fail(1, Errc::unavailable, "no route to host");
  std::jthread producer([&] {
    inputs.fail(2, Errc::not_found, "nobody of that name");
    inputs.fail(0, Errc::exception, "out of paper");
  });
  const auto result = first(forever, inputs.futures);
  ASSERT_FALSE(result.has_value());
  for (const auto* part : {"no route to host", "nobody of that name", "out of paper"}) {
    EXPECT_NE(result.error().message.find(part), std::string::npos)
        << "all three failed; the message is \"" << result.error().message << "\"";
  }
}

TEST(Basic, WaitAllReturnsEveryOutcome) {
  Inputs<int> inputs(4);
  inputs.fail(0, Errc::not_found);
  std::jthread producer([&] {
    inputs.resolve(3, 13);
    inputs.fail(2, Errc::unavailable);
    inputs.resolve(1, 11);
  });
  EXPECT_EQ(show(wait_all(forever, inputs.futures)),
            "error not found, value 11, error unavailable, value 13");
}

TEST(Basic, NoInputs) {
  EXPECT_EQ(show(all<int>(forever, {})), "values");
  EXPECT_TRUE(wait_all<int>(forever, {}).empty());
  EXPECT_EQ(show(first<int>(forever, {})), "error invalid argument")
      << "nothing was cancelled and nothing failed: the call itself makes no sense";
}

TEST(Basic, NoInputsUnderAContextThatHasEnded) {
  EXPECT_EQ(show(all<int>(ended(), {})), "values") << "nothing is missing, so there is no wait";
  EXPECT_TRUE(wait_all<int>(ended(), {}).empty());
  EXPECT_EQ(show(first<int>(ended(), {})), "error invalid argument");
}

TEST(Basic, AnErrorArrivesAsItWas) {
  Inputs<int> inputs(2);
  inputs.fail(1, Errc::not_found, "nobody of that name");
  const Error expected{Errc::not_found, "nobody of that name"};
  const auto from_all = all(forever, inputs.futures);
  ASSERT_FALSE(from_all.has_value());
  EXPECT_EQ(from_all.error(), expected) << "code and message are the producer's";
  inputs.resolve(0, 10);
  const auto from_wait_all = wait_all(forever, inputs.futures);
  ASSERT_EQ(from_wait_all.size(), 2u);
  ASSERT_FALSE(from_wait_all[1].has_value());
  EXPECT_EQ(from_wait_all[1].error(), expected);
}

TEST(Basic, ACancelledContextEndsAllThree) {
  Inputs<int> inputs(2);
  EXPECT_EQ(show(all(ended(), inputs.futures)), "error cancelled");
  EXPECT_EQ(show(first(ended(), inputs.futures)), "error cancelled");
  EXPECT_EQ(show(wait_all(ended(), inputs.futures)), "error cancelled, error cancelled");
}

TEST(Basic, ADeadlineEndsAllThreeWhileTheyWait) {
  Inputs<int> inputs(2);
  const std::string expected = "error deadline exceeded";
  const auto soon = [] { return with_timeout(forever, 5ms); };
  EXPECT_EQ(show(all(soon().context(), inputs.futures)), expected);
  EXPECT_EQ(show(first(soon().context(), inputs.futures)), expected);
  EXPECT_EQ(show(wait_all(soon().context(), inputs.futures)), expected + ", " + expected);
}

TEST(Basic, ACancelledWaitAllKeepsWhatIsThere) {
  Inputs<int> inputs(4);
  inputs.resolve(1, 11);
  inputs.fail(3, Errc::not_found);
  EXPECT_EQ(show(wait_all(ended(), inputs.futures)),
            "error cancelled, value 11, error cancelled, error not found")
      << "a pending input has the context's error; one that is settled keeps its own outcome";
}

TEST(Basic, WhatIsThereBeatsACancelledContext) {
  Inputs<int> inputs(3);
  inputs.resolve(0, 10);
  inputs.resolve(1, 11);
  EXPECT_EQ(show(first(ended(), inputs.futures)), "value 10")
      << "one input is still pending, but a success was there before the question was asked";
  inputs.resolve(2, 12);
  EXPECT_EQ(show(all(ended(), inputs.futures)), "values 10 11 12");
  EXPECT_EQ(show(wait_all(ended(), inputs.futures)), "value 10, value 11, value 12");
}

TEST(Basic, AFailureThatIsThereBeatsACancelledContext) {
  Inputs<int> inputs(2);
  inputs.fail(1, Errc::not_found, "nobody of that name");
  EXPECT_EQ(show(all(ended(), inputs.futures)), "error not found")
      << "that input 1 failed was known before the question was asked";
  inputs.fail(0, Errc::unavailable, "no route to host");
  const auto none = first(ended(), inputs.futures);
  ASSERT_FALSE(none.has_value());
  EXPECT_NE(none.error().message.find("nobody of that name"), std::string::npos)
      << "all inputs had failed, so nothing was given up; the message is \"" << none.error().message
      << "\"";
  EXPECT_EQ(show(wait_all(ended(), inputs.futures)), "error unavailable, error not found");
}

TEST(Basic, TheReasonOfTheContextIsHandedOn) {
  Inputs<int> inputs(1);
  auto source = with_cancel(forever);
  source.cancel(Error{Errc::service_error, "the shop is closed"});
  const Error expected{Errc::service_error, "the shop is closed"};
  const auto from_all = all(source.context(), inputs.futures);
  const auto from_first = first(source.context(), inputs.futures);
  const auto from_wait_all = wait_all(source.context(), inputs.futures);
  ASSERT_FALSE(from_all.has_value() || from_first.has_value());
  EXPECT_EQ(from_all.error(), expected) << "whoever cancelled has said why";
  EXPECT_EQ(from_first.error(), expected) << "whoever cancelled has said why";
  ASSERT_EQ(show(from_wait_all), "error service error");
  EXPECT_EQ(from_wait_all[0].error(), expected);
}

TEST(Basic, AFutureMayAppearMoreThanOnce) {
  Inputs<int> inputs(2);
  const std::vector<Future<int>> doubled{inputs.futures[0], inputs.futures[1], inputs.futures[0]};
  std::jthread producer([&] {
    inputs.resolve(0, 1);
    inputs.resolve(1, 2);
  });
  EXPECT_EQ(show(all(forever, doubled)), "values 1 2 1");
  EXPECT_EQ(show(wait_all(forever, doubled)), "value 1, value 2, value 1");
  EXPECT_TRUE(first(forever, doubled).has_value());
}

TEST(Basic, ValuesNeedNoDefaultConstructor) {
  struct Plain {
    explicit Plain(int n) : number(n) {}
    int number;
  };
  Inputs<Plain> inputs(2);
  inputs.resolve(0, Plain(1));
  inputs.resolve(1, Plain(2));
  const auto values = all(forever, inputs.futures);
  ASSERT_TRUE(values.has_value());
  ASSERT_EQ(values->size(), 2u);
  EXPECT_EQ(values->at(1).number, 2);
  EXPECT_TRUE(first(forever, inputs.futures).has_value());
  EXPECT_EQ(wait_all(forever, inputs.futures).size(), 2u);
}

TEST(Basic, ProducersOfGoAreJustFutures) {
  const auto number = [](int n) {
    return go<int>(forever, [n](const Context&) -> Result<int> { return n; });
  };
  EXPECT_EQ(show(all<int>(forever, {number(1), number(2), number(3)})), "values 1 2 3");
  const auto throws = go<int>(forever, [](const Context&) -> Result<int> { throw 42; });
  EXPECT_EQ(show(all<int>(forever, {number(1), throws})), "error exception");
}

}  // namespace combinators_suite

#endif
