// Task 9: what becomes of the inputs that were not needed, and what the waiting costs.
#pragma once

#include "suite_support.hpp"

namespace combinators_suite {

// A producer that gives a value after a while, unless it is asked to stop before.
inline Future<int> slow_value(int value) {
  return go<int>(forever, [value](const Context& context) -> Result<int> {
    if (context.sleep_for(20ms)) return value;
    return std::unexpected(*context.error());
  });
}

TEST(Lifecycle, AReasonIsNotForgottenWhenTheDeadlinePassesToo) {
  const Error why{Errc::closed, "the shop is closed"};
  const auto context = workbook::ended_before_its_deadline(why);
  const Inputs<int> inputs(1);
  const auto from_all = all(context, inputs.futures);
  const auto from_first = first(context, inputs.futures);
  const auto from_wait_all = wait_all(context, inputs.futures);
  ASSERT_TRUE(!from_all && !from_first && from_wait_all.size() == 1 && !from_wait_all[0]);
  EXPECT_EQ(from_all.error(), why) << "a context ends once, and for one reason";
  EXPECT_EQ(from_first.error(), why) << "a context ends once, and for one reason";
  EXPECT_EQ(from_wait_all[0].error(), why) << "a context ends once, and for one reason";
}

TEST(Lifecycle, TheSiblingsOfAFailureAreCancelled) {
  Inputs<int> inputs(3);
  inputs.fail(1, Errc::not_found);
  EXPECT_EQ(show(all(forever, inputs.futures)), "error not found");
  EXPECT_TRUE(inputs.cancelled(0)) << "all() has failed, and input 0 is still being computed";
  EXPECT_TRUE(inputs.cancelled(2)) << "all() has failed, and input 2 is still being computed";
  EXPECT_FALSE(inputs.futures[0].settled()) << "to cancel is to ask; the producer answers";
}

TEST(Lifecycle, TheLosersOfFirstAreCancelled) {
  Inputs<int> inputs(3);
  std::jthread producer([&] { inputs.resolve(1, 7); });
  EXPECT_EQ(show(first(forever, inputs.futures)), "value 7");
  EXPECT_TRUE(inputs.cancelled(0) && inputs.cancelled(2))
      << "the race is over, and a loser is still running";
}

TEST(Lifecycle, InputsAbandonedByTheContextAreCancelled) {
  Inputs<int> for_all(2);
  EXPECT_EQ(show(all(ended(), for_all.futures)), "error cancelled");
  EXPECT_TRUE(for_all.cancelled(0) && for_all.cancelled(1));

  Inputs<int> for_first(2);
  for_first.fail(0, Errc::not_found);
  EXPECT_EQ(show(first(ended(), for_first.futures)), "error cancelled");
  EXPECT_TRUE(for_first.cancelled(1));

  Inputs<int> for_wait_all(2);
  for_wait_all.resolve(0, 1);
  EXPECT_EQ(show(wait_all(ended(), for_wait_all.futures)), "value 1, error cancelled");
  EXPECT_TRUE(for_wait_all.cancelled(1));
}

TEST(Lifecycle, ASingleInputIsCancelledWhenTheContextEnds) {
  Inputs<int> inputs(3);
  const auto only = [&](std::size_t i) { return std::vector{inputs.futures[i]}; };
  EXPECT_EQ(show(all(ended(), only(0))), "error cancelled");
  EXPECT_EQ(show(first(ended(), only(1))), "error cancelled");
  EXPECT_EQ(show(wait_all(ended(), only(2))), "error cancelled");
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(inputs.cancelled(i)) << "input " << i << " was the only one of its call";
  }
}

TEST(Lifecycle, ProducersOfGoHearThatTheyLost) {
  (void)first(forever, std::vector<Future<int>>{});  // before any thread relies on it
  auto heard = std::make_shared<workbook::Gate>();
  auto started = std::make_shared<workbook::Gate>();
  const auto loser = go<int>(forever, [=](const Context& context) -> Result<int> {
    started->open();
    if (!context.sleep_for(workbook::patience)) heard->open();
    return 1;
  });
  started->wait();
  const auto winner = go<int>(forever, [](const Context&) -> Result<int> { return 2; });
  EXPECT_EQ(show(first<int>(forever, {loser, winner})), "value 2");
  EXPECT_TRUE(heard->wait_for(10s)) << "the loser's context was never cancelled";
}

TEST(Lifecycle, AFailureIsNoReasonToCancelAnythingInFirstAndWaitAll) {
  Inputs<int> inputs(1);
  inputs.fail(0, Errc::not_found);
  EXPECT_EQ(show(first<int>(forever, {inputs.futures[0], slow_value(7)})), "value 7")
      << "the second input would have succeeded, had it not been cancelled";
  EXPECT_EQ(show(wait_all<int>(forever, {inputs.futures[0], slow_value(7), slow_value(8)})),
            "error not found, value 7, value 8");
}

TEST(Lifecycle, AnErrorThatTheCancellationCausesHidesNothing) {
  // The producers answer a cancellation at once, from inside the call that cancels them.
  Inputs<int> inputs(3);
  const auto answer = [&](std::size_t i) {
    return [&inputs, i] { inputs.fail(i, Errc::cancelled); };
  };
  const std::stop_callback first_answer(inputs.resolvers[0].context().stop_token(), answer(0));
  const std::stop_callback last_answer(inputs.resolvers[2].context().stop_token(), answer(2));
  inputs.fail(1, Errc::unavailable);
  EXPECT_EQ(show(all(forever, inputs.futures)), "error unavailable")
      << "input 1 failed; the others were cancelled because of that, and said so";
  EXPECT_TRUE(inputs.futures[0].settled() && inputs.futures[2].settled());
}

TEST(Lifecycle, AnAnswerToTheEndOfTheContextIsNotWhatIsReturned) {
  const auto call = [](auto combine) {
    Inputs<int> inputs(2);
    inputs.resolve(1, 11);
    const std::stop_callback answer(inputs.resolvers[0].context().stop_token(),
                                    [&inputs] { inputs.fail(0, Errc::closed); });
    const auto outcome = show(combine(inputs.futures));
    EXPECT_TRUE(inputs.futures[0].settled());
    return outcome;
  };
  EXPECT_EQ(call([](const auto& f) { return all(ended(), f); }), "error cancelled")
      << "input 0 was pending when the context ended; what it says when it is told is not what "
         "ended the call";
  // Here either is an outcome of its own.
  const auto each = call([](const auto& f) { return wait_all(ended(), f); });
  EXPECT_TRUE(each == "error cancelled, value 11" || each == "error closed, value 11") << each;
}

TEST(Lifecycle, InputsMaySettleWhenNobodyWaitsAnyMore) {
  Inputs<std::size_t> inputs(40);
  inputs.fail(3, Errc::unavailable);
  std::string filler(4096, 'x');
  EXPECT_EQ(show(all(forever, inputs.futures)), "error unavailable");
  EXPECT_EQ(show(wait_all(ended(), inputs.futures)).find("value"), std::string::npos);
  inputs.resolve(4, 4);
  EXPECT_EQ(show(first(forever, inputs.futures)), "value 4");
  // Whatever the three calls left behind in the inputs runs now, long after they have returned.
  std::jthread([&] {
    for (std::size_t i = 0; i < 20; ++i) inputs.resolve(i, i);
  }).join();
  inputs.resolvers.clear();
  EXPECT_TRUE(inputs.futures[39].settled());
}

TEST(Lifecycle, WhatNobodyHoldsAnyMoreIsFreed) {
  const int before = workbook::Tracked::live();
  {
    Inputs<workbook::Tracked> inputs(4);
    inputs.resolve(0, workbook::Tracked(1));
    inputs.fail(1, Errc::not_found);
    EXPECT_FALSE(all(forever, inputs.futures).has_value());
    EXPECT_TRUE(first(forever, inputs.futures).has_value());
    EXPECT_EQ(wait_all(ended(), inputs.futures).size(), 4u);
    inputs.resolve(2, workbook::Tracked(2));
  }  // the last one breaks its promise
  EXPECT_TRUE(workbook::eventually([&] { return workbook::Tracked::live() == before; }, 10s))
      << "futures, resolvers and results are gone, " << workbook::Tracked::live() - before
      << " values are still alive. Who holds whom?";
}

// The most threads seen while `call` runs on inputs that stay pending until a deadline.
template <class Call>
std::size_t threads_during(Call call) {
  const auto source = with_timeout(forever, 50ms);
  std::atomic<bool> over{false};
  std::size_t most = 0;
  std::thread caller([&] {
    call(source.context());
    over = true;
  });
  while (!over) {
    most = std::max(most, workbook::live_threads());
    std::this_thread::yield();
  }
  caller.join();
  return most;
}

TEST(Lifecycle, WaitingForManyInputsTakesNoThreadEach) {
  (void)first(forever, std::vector<Future<int>>{});  // before any thread relies on it
  Inputs<int> inputs(150);
  const auto few = workbook::live_threads() + 20;  // room for a caller, a timer, a helper
  const char* advice = "on_settled() tells you of a result without a thread that waits for it";
  EXPECT_LE(threads_during([&](const Context& c) { (void)all(c, inputs.futures); }), few) << advice;
  EXPECT_LE(threads_during([&](const Context& c) { (void)first(c, inputs.futures); }), few)
      << advice;
  EXPECT_LE(threads_during([&](const Context& c) { wait_all(c, inputs.futures); }), few) << advice;
}

TEST(Lifecycle, TheThreadsOfAFinishedCallAreGone) {
  Inputs<int> inputs(20);
  const auto before = workbook::live_threads();
  inputs.resolve(19, 7);
  EXPECT_EQ(show(first(forever, inputs.futures)), "value 7");
  EXPECT_TRUE(workbook::eventually([&] { return workbook::live_threads() <= before; }, 8s))
      << "first() has returned, and somebody still waits for the inputs that lost";
}

TEST(Lifecycle, TenThousandInputs) {
  const std::size_t count = workbook::rounds(10'000);
  Inputs<int> inputs(count);
  std::jthread producer([&] {
    for (std::size_t i = count; i-- > 0;) inputs.resolve(i, static_cast<int>(i));
  });
  const auto values = all(forever, inputs.futures);
  ASSERT_TRUE(values.has_value());
  ASSERT_EQ(values->size(), count);
  for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(values->at(i), static_cast<int>(i));
  EXPECT_EQ(wait_all(forever, inputs.futures).size(), count);
  EXPECT_TRUE(first(forever, inputs.futures).has_value());
}

TEST(Lifecycle, SeventyThousandInputsThatAreThereAlready) {
  // Whoever goes from one to the next by calling itself runs out of stack, and who counts in 16
  // bits out of numbers.
  const std::size_t count = workbook::rounds(70'000);
  Inputs<int> good(1);
  good.resolve(0, 7);
  const std::vector same(count, good.futures.front());
  EXPECT_EQ(wait_all(forever, same).size(), count);
  EXPECT_EQ(all(forever, same).value_or(std::vector<int>()).size(), count);
  EXPECT_EQ(first(forever, same), 7);
  Inputs<int> bad(1);
  bad.fail(0, Errc::unavailable, "no");
  EXPECT_FALSE(first(forever, std::vector(count, bad.futures.front())).has_value());
}

TEST(Lifecycle, ALongMessageIsNotCutOff) {
  constexpr std::size_t count = 50;
  Inputs<int> inputs(count);
  for (std::size_t i = 0; i < count; ++i) {
    inputs.fail(i, Errc::unavailable, std::string(200, 'x') + " mirror " + std::to_string(i) + ".");
  }
  const auto result = first(forever, inputs.futures);
  ASSERT_FALSE(result.has_value());
  for (std::size_t i = 0; i < count; ++i) {
    EXPECT_TRUE(result.error().message.contains("x mirror " + std::to_string(i) + "."))
        << "each of " << count << " failures has to be in the message, number " << i << " is not";
  }
}

}  // namespace combinators_suite
