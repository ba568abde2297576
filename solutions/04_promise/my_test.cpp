// What can happen to a promise in one moment: two settle it, two wait for it, a context ends.
#include <array>
#include <atomic>
#include <memory>
#include <optional>

#include "promise.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "testing/kit.hpp"

namespace {

using futures::CancelSource;
using futures::Context;
using futures::Errc;
using futures::Error;
using futures::Promise;
using futures::Result;

const Context kForever = Context::background();

TEST(MyTest, AResultBeatsTheCancellationThatFollowsIt) {
  struct State {
    Promise<int> promise;
    CancelSource source = futures::with_cancel(kForever);
  };
  workbook::stress_on(
      2, workbook::rounds(500), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t thread) {
        if (thread == 0) {
          state->promise.resolve(7);
          state->source.cancel();
        } else {
          EXPECT_EQ(state->promise.await(state->source.context()), 7)
              << "the result was there before the context ended";
        }
      },
      [](auto&) {});
}

TEST(MyTest, TheAwaiterMayDeleteThePromise) {
  struct State {
    Promise<int>* promise = new Promise<int>;
  };
  workbook::stress_on(
      2, workbook::rounds(500), [] { return State{}; },
      [](State& state, std::size_t thread) {
        if (thread == 0) {
          state.promise->resolve(7);
        } else {
          EXPECT_EQ(state.promise->await(kForever), 7);
          delete state.promise;
        }
      },
      [](State&) {});
}

TEST(MyTest, TwoSettleFourWaitAndAllAgree) {
  constexpr std::size_t kAwaiters = 4;
  struct State {
    Promise<int> promise;
    std::atomic<int> transitions{0};
    std::array<std::optional<Result<int>>, kAwaiters> results;
  };
  workbook::stress_on(
      kAwaiters + 2, workbook::rounds(200), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t thread) {
        if (thread < kAwaiters) {
          state->results[thread] = state->promise.await(kForever);
        } else if (thread == kAwaiters) {
          state->transitions += state->promise.resolve(7);
        } else {
          state->transitions += state->promise.reject(Error{Errc::unavailable, ""});
        }
      },
      [](auto& state) {
        EXPECT_EQ(state->transitions, 1) << "settled twice, or the winner was not told";
        for (const auto& result : state->results) {
          EXPECT_EQ(*result, *state->results[0]) << "two awaiters, two results";
        }
      });
}

TEST(MyTest, ACancellationWakesAwaiters) {
  struct State {
    Promise<int> promise;
    CancelSource source = futures::with_cancel(kForever);
  };
  workbook::stress_on(
      3, workbook::rounds(300), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t thread) {
        if (thread == 0) {
          state->source.cancel();
        } else {
          EXPECT_FALSE(state->promise.await(state->source.context())) << "nobody settled it";
        }
      },
      [](auto&) {});
}

}  // namespace
