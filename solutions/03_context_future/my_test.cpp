// Breaks versions that lose a finished result to a cancellation, make one up, or leave somebody
// waiting: the producer that never hears of the end, or the waiter of a producer that does not
// care.
#include <atomic>
#include <cstddef>
#include <expected>
#include <gtest/gtest.h>
#include <memory>
#include <stdexcept>

#include "context_future.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "testing/kit.hpp"

namespace {

using futures::CancelSource;
using futures::Context;
using futures::Errc;
using futures::Receiver;
using futures::Result;
using workbook::forever;

// A cancellation may cost an impatient waiter its patience, but nobody the result; and there is one
// result, not two. A function that has not begun by then may be left out, and only such a one.
TEST(MyTest, ACancellationTakesNothingAway) {
  struct State {
    CancelSource source = futures::with_cancel(forever);
    std::shared_ptr<workbook::Gate> began = std::make_shared<workbook::Gate>();
    Receiver<Result<int>> future = futures::async_with_context<int>(
        source.context(), [began = began](const Context&) -> Result<int> {
          began->open();
          return 7;
        });
  };
  workbook::stress_on(
      2, workbook::rounds(200), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t thread) {
        if (thread == 0) {
          state->source.cancel();
          return;
        }
        auto result = futures::await(state->source.context(), state->future);
        if (!result) {
          EXPECT_TRUE(result.error().code == Errc::cancelled);
          result = futures::await(forever, state->future);
        }
        if (state->began->is_open()) {
          EXPECT_EQ(result, 7) << "the function returned 7";
        } else {
          EXPECT_FALSE(result) << "there was no function to return it";
        }
      },
      [](auto& state) {
        EXPECT_FALSE(futures::await(forever, state->future)) << "there was one result, not two";
      });
}

TEST(MyTest, WhatIsThereBeatsACancellation) {
  workbook::stress(4, workbook::rounds(50), [](std::size_t thread, std::size_t) {
    CancelSource source = futures::with_cancel(forever);
    auto future = futures::async_with_context<std::size_t>(
        source.context(), [thread](const Context&) -> Result<std::size_t> { return thread; });
    ASSERT_TRUE(workbook::eventually([&] { return future.closed(); }));
    source.cancel();
    EXPECT_EQ(futures::await(source.context(), future), thread);
  });
}

// The function waits for its context, and the caller has left: only the copy that the function was
// given is there to tell it.
TEST(MyTest, ThePromisedEndReachesTheFunction) {
  workbook::stress(4, workbook::rounds(40), [](std::size_t, std::size_t) {
    auto began = std::make_shared<workbook::Gate>();
    auto heard = std::make_shared<workbook::Gate>();
    auto let_go = std::make_shared<workbook::Gate>();
    CancelSource source = futures::with_cancel(forever);
    auto future =
        futures::async_with_context<int>(source.context(), [=](const Context& ctx) -> Result<int> {
          began->open();
          (void)ctx.sleep_for(workbook::patience);
          if (ctx.done()) heard->open();
          let_go->wait();  // and now it does not care
          throw std::runtime_error("late");
        });
    ASSERT_TRUE(workbook::eventually([&] { return began->is_open(); }));
    CancelSource impatient = futures::with_cancel(forever);
    impatient.cancel();
    const auto gave_up = futures::await(impatient.context(), future);
    ASSERT_FALSE(gave_up) << "the function is still waiting";
    EXPECT_TRUE(gave_up.error().code == Errc::cancelled);
    source.cancel();
    EXPECT_TRUE(workbook::eventually([&] { return heard->is_open() || future.closed(); }));
    let_go->open();
    const auto late = futures::await(forever, future);
    EXPECT_TRUE(!late && late.error().code == Errc::exception);
  });
}

}  // namespace
