// Task 4: a thousand threads, and the moments in which they meet.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <optional>

#include "promise.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "suite_support.hpp"
#include "testing/kit.hpp"

namespace promise_suite {

using namespace futures;  // these files are parts of one suite, nobody else includes them

TEST(Stress, OfAThousandResolversExactlyOneSettles) {
  struct State {
    Promise<int> promise;
    std::atomic<int> transitions{0};
    std::atomic<int> winner{-1};
  };
  workbook::stress_on(
      workbook::crowd(1000), workbook::rounds(1), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t thread) {
        if (!state->promise.resolve(static_cast<int>(thread))) return;
        ++state->transitions;
        state->winner = static_cast<int>(thread);
      },
      [](auto& state) {
        EXPECT_EQ(state->transitions, 1)
            << "this many resolvers were told that they settled the promise; is there a moment in "
               "which two of them can both find it unsettled?";
        const auto result = state->promise.await(kForever);
        ASSERT_TRUE(result);
        EXPECT_EQ(*result, state->winner) << "the result is not the one of the resolver that won";
      });
}

TEST(Stress, ResolversRejectersAndAwaitersAllAgree) {
  constexpr std::size_t kThreads = 24;  // a third each
  struct State {
    Promise<int> promise;
    std::atomic<int> transitions{0};
    std::array<std::optional<Result<int>>, kThreads> results;
  };
  workbook::stress_on(
      kThreads, workbook::rounds(30), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t thread) {
        const int number = static_cast<int>(thread);
        if (number % 3 == 0) {
          if (state->promise.resolve(number)) ++state->transitions;
        } else if (number % 3 == 1) {
          if (state->promise.reject(Error{Errc::unavailable, ""})) ++state->transitions;
        }
        state->results[thread] = state->promise.await(kForever);
      },
      [](auto& state) {
        EXPECT_EQ(state->transitions, 1) << "settled more than once, or nobody was told";
        for (std::size_t i = 1; i < kThreads; ++i) {
          EXPECT_EQ(said(*state->results[i]), said(*state->results[0]))
              << "thread " << i << " and thread 0 awaited the same promise";
        }
      });
}

TEST(Stress, SettledIsTrueForEverybodyWhoAsksAfterwards) {
  struct State {
    Promise<int> promise;
    bool resolved = promise.resolve(7);
  };
  workbook::stress_on(
      4, workbook::rounds(200), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t thread) {
        if (thread == 0) EXPECT_FALSE(state->promise.resolve(8));
        EXPECT_TRUE(state->promise.settled()) << "it was settled before anybody asked";
      },
      [](auto&) {});
}

TEST(Stress, EveryAwaiterWakesUp) {
  struct State {
    Promise<int> promise;
    std::atomic<int> seven{0};
  };
  const std::size_t threads = workbook::crowd(200);
  workbook::stress_on(
      threads, workbook::rounds(2), [] { return std::make_unique<State>(); },
      [&](auto& state, std::size_t thread) {
        if (thread == threads / 2) state->promise.resolve(7);
        const auto result = state->promise.await(kForever);
        if (result && *result == 7) ++state->seven;
      },
      [&](auto& state) {
        EXPECT_EQ(static_cast<std::size_t>(state->seven), threads)
            << "this many of " << threads << " awaiters got the value";
      });
}

TEST(Stress, TheAwaiterMayDestroyThePromiseAtOnce) {
  struct State {
    Promise<int>* promise = new Promise<int>;
  };
  workbook::stress_on(
      2, workbook::rounds(400), [] { return State{}; },
      [](State& state, std::size_t thread) {
        if (thread == 0) {
          state.promise->resolve(7);
        } else {
          EXPECT_EQ(said(state.promise->await(kForever)), "the value 7");
          delete state.promise;  // resolve() has delivered; it need not have returned
        }
      },
      [](State&) {});
}

TEST(Stress, AResultIsNotLostToACancellationThatComesAfterIt) {
  struct State {
    Promise<int> promise;
    futures::CancelSource source = with_cancel(kForever);
    std::optional<Result<int>> result;
  };
  workbook::stress_on(
      2, workbook::rounds(400), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t thread) {
        if (thread == 0) {
          state->promise.resolve(7);
          state->source.cancel();
        } else {
          state->result = state->promise.await(state->source.context());
        }
      },
      [](auto& state) {
        EXPECT_EQ(said(*state->result), "the value 7")
            << "resolve had returned before the context was cancelled: whoever can see the "
               "cancellation must look for the result once more";
      });
}

TEST(Stress, ACancellationReachesAwaitersThatAreJustGoingToSleep) {
  struct State {
    Promise<int> promise;
    futures::CancelSource source = with_cancel(kForever);
  };
  workbook::stress_on(
      3, workbook::rounds(200), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t thread) {
        if (thread == 0) {
          state->source.cancel();
        } else {
          const auto result = state->promise.await(state->source.context());
          EXPECT_FALSE(result) << "nobody settled the promise";
        }
      },
      [](auto&) {});
}

}  // namespace promise_suite
