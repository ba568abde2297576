// What a chain with back-pressure must do. Every test is a sentence; a failure says what was seen
// and what to think about next.
#include "suite_explored.hpp"
#include "suite_lifecycle.hpp"
#include "suite_stress.hpp"
#include "suite_support.hpp"

namespace backpressure_suite {

TEST(Basic, ValuesComeOutInOrder) {
  auto [intake, chain] = make_chain<int>(forever, 2);
  std::jthread producer([&in = intake] {
    for (int i = 1; i <= 5; ++i) EXPECT_TRUE(in.push(forever, i));
    in.close();
  });
  EXPECT_EQ(rest_of(chain), "1 2 3 4 5 closed");
}

TEST(Basic, EveryStageSeesEveryValue) {
  auto [intake, head] = make_chain<int>(forever, 1);
  auto doubled = then<int>(std::move(head), 2,
                           [](const Context&, int value) -> Result<int> { return value * 2; });
  auto chain = then<int>(std::move(doubled), 3,
                         [](const Context&, int value) -> Result<int> { return value + 1; });
  std::jthread producer([&in = intake] {
    for (int i = 1; i <= 5; ++i) EXPECT_TRUE(in.push(forever, i));
    in.close();
  });
  EXPECT_EQ(rest_of(chain), "3 5 7 9 11 closed");
}

TEST(Basic, AStageMayChangeTheType) {
  auto [intake, head] = make_chain<int>(forever, 1);
  auto chain =
      then<std::string>(std::move(head), 1, [](const Context&, int value) -> Result<std::string> {
        return std::string(static_cast<std::size_t>(value), 'x');
      });
  EXPECT_TRUE(intake.push(forever, 3));
  EXPECT_EQ(show(chain.pull(forever)), "value \"xxx\"");
}

TEST(Basic, TheEndStaysTheEnd) {
  auto [intake, head] = make_chain<int>(forever, 3);
  auto chain = then<int>(std::move(head), 1, same<int>);
  EXPECT_TRUE(intake.push(forever, 1));
  intake.close();
  EXPECT_EQ(show(intake.push(forever, 2)), "error closed") << "pushed after close()";
  EXPECT_EQ(rest_of(chain), "1 closed");
  EXPECT_EQ(show(chain.pull(forever)), "error closed") << "asked once more";
  EXPECT_EQ(show(chain.pull(ended())), "error closed")
      << "the chain had ended before anybody ran out of patience";
}

TEST(Basic, AnErrorOfAStageEndsTheChain) {
  auto [intake, head] = make_chain<int>(forever, 1);
  auto first = then<int>(std::move(head), 4, [](const Context&, int value) -> Result<int> {
    if (value == 3) return std::unexpected(failure(Errc::not_found));
    return value;
  });
  auto chain = then<int>(std::move(first), 4, same<int>);
  EXPECT_EQ(text(push_until_it_fails(intake)), text(failure(Errc::not_found)))
      << "the producer has to learn what ended the chain";
  EXPECT_EQ(rest_of(chain), "1 2 not found") << "1 and 2 had passed the stage that failed";
  EXPECT_EQ(show(chain.pull(forever)), "error not found") << "asked once more";
  EXPECT_EQ(show(intake.push(forever, 9)), "error not found");
}

TEST(Basic, WhateverAStageThrowsIsAnError) {
  for (const bool standard : {true, false}) {
    auto [intake, head] = make_chain<int>(forever, 1);
    auto chain = then<int>(std::move(head), 1, [=](const Context&, int) -> Result<int> {
      if (standard) throw std::runtime_error("out of paper");
      throw 42;
    });
    (void)intake.push(forever, 1);
    const auto result = chain.pull(forever);
    EXPECT_EQ(show(result), "error exception");
    if (standard && !result) EXPECT_EQ(result.error().message, "out of paper");
    EXPECT_EQ(push_until_it_fails(intake).code, make_error_code(Errc::exception));
  }
}

TEST(Basic, TheProducersOwnErrorArrivesAfterItsValues) {
  auto [intake, head] = make_chain<int>(forever, 3);
  auto chain = then<int>(std::move(head), 1, same<int>);
  EXPECT_TRUE(intake.push(forever, 1));
  EXPECT_TRUE(intake.push(forever, 2));
  intake.fail(failure(Errc::unavailable));
  intake.close();  // too late to change anything
  EXPECT_EQ(rest_of(chain), "1 2 unavailable");
}

TEST(Basic, AnIntakeThatGoesAwayIsABrokenPromise) {
  auto [intake, chain] = make_chain<int>(forever, 3);
  {
    const auto mine = std::move(intake);
    EXPECT_TRUE(mine.push(forever, 1));
  }
  EXPECT_EQ(rest_of(chain), "1 broken promise");
  auto [old_intake, old_chain] = make_chain<int>(forever, 3);
  auto [new_intake, new_chain] = make_chain<int>(forever, 3);
  old_intake = std::move(new_intake);
  EXPECT_EQ(show(old_chain.pull(forever)), "error broken promise")
      << "another intake was moved over the one of this chain";
  EXPECT_TRUE(old_intake.push(forever, 5)) << "it is the new chain's now";
  EXPECT_EQ(show(new_chain.pull(forever)), "value 5");
}

TEST(Basic, ACancelledContextEndsTheChain) {
  auto source = with_cancel(forever);
  auto [intake, head] = make_chain<int>(source.context(), 2);
  auto chain = then<int>(std::move(head), 2, same<int>);
  EXPECT_TRUE(intake.push(forever, 1));
  EXPECT_EQ(show(chain.pull(forever)), "value 1");
  source.cancel();
  EXPECT_EQ(show(chain.pull(forever)), "error cancelled");
  EXPECT_EQ(show(intake.push(forever, 2)), "error cancelled");
  auto [late_intake, late_chain] = make_chain<int>(ended(), 2);
  EXPECT_EQ(show(late_intake.push(forever, 1)), "error cancelled") << "it had ended beforehand";
  EXPECT_EQ(show(late_chain.pull(forever)), "error cancelled");
}

TEST(Basic, ADeadlineEndsTheChainAsADeadline) {
  auto source = with_timeout(forever, 5ms);
  auto [intake, head] = make_chain<int>(source.context(), 1);
  auto chain = then<int>(std::move(head), 1, same<int>);
  EXPECT_EQ(push_until_it_fails(intake).code, make_error_code(Errc::deadline_exceeded));
  EXPECT_EQ(show(chain.pull(forever)), "error deadline exceeded");
}

TEST(Basic, APatienceThatEndsDisturbsNobody) {
  auto [intake, chain] = make_chain<int>(forever, 1);
  EXPECT_EQ(show(chain.pull(with_timeout(forever, 5ms).context())), "error deadline exceeded");
  EXPECT_TRUE(intake.push(forever, 1));
  EXPECT_EQ(show(intake.push(with_timeout(forever, 5ms).context(), 2)), "error deadline exceeded");
  EXPECT_EQ(show(intake.push(ended(), 3)), "error cancelled");
  EXPECT_EQ(show(chain.pull(forever)), "value 1");
  EXPECT_TRUE(intake.push(forever, 4));
  EXPECT_EQ(show(chain.pull(forever)), "value 4") << "2 and 3 were given up, 4 was pushed later";
}

TEST(Basic, WhatIsThereBeatsAPatienceThatHasEnded) {
  auto [intake, chain] = make_chain<int>(forever, 1);
  EXPECT_EQ(show(intake.push(ended(), 1)), "success") << "there was room";
  EXPECT_EQ(show(chain.pull(ended())), "value 1") << "there was a value";
  EXPECT_EQ(show(chain.pull(ended())), "error cancelled");
}

TEST(Basic, AQueueOfCapacityZeroIsAnInvalidArgument) {
  auto [intake, chain] = make_chain<int>(forever, 0);
  EXPECT_EQ(show(intake.push(forever, 1)), "error invalid argument");
  EXPECT_EQ(show(chain.pull(forever)), "error invalid argument");
  auto [good_intake, good_chain] = make_chain<int>(forever, 1);
  auto last = then<int>(std::move(good_chain), 0, same<int>);
  EXPECT_EQ(push_until_it_fails(good_intake).code, make_error_code(Errc::invalid_argument));
  EXPECT_EQ(show(last.pull(forever)), "error invalid argument");
}

TEST(Basic, ValuesNeedNoCopyAndNoDefaultConstructor) {
  auto [intake, head] = make_chain<MoveOnly>(forever, 2);
  auto chain = then<MoveOnly>(std::move(head), 2, same<MoveOnly>);
  EXPECT_TRUE(intake.push(forever, MoveOnly(1)));
  EXPECT_TRUE(intake.push(forever, MoveOnly(2)));
  intake.close();
  EXPECT_EQ(rest_of(chain), "1 2 closed");
}

}  // namespace backpressure_suite
