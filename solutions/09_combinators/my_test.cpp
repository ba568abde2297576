// What combinators have to get right while their inputs settle: the first in time, everything that
// was there, the losers' cancellation, and callbacks that come when nobody waits any more.
#include <cstddef>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "combinators.hpp"
#include "future.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "testing/kit.hpp"

namespace {

using futures::CancelSource;
using futures::Errc;
using futures::Error;
using futures::Future;
using futures::Resolver;
using workbook::forever;
using workbook::show;

struct State {
  State() {
    for (int i = 0; i < 3; ++i) {
      auto [future, resolver] = futures::make_future<int>();
      futures.push_back(std::move(future));
      resolvers.push_back(std::move(resolver));
    }
  }
  bool cancelled(std::size_t i) const {
    return workbook::eventually([&] { return resolvers[i].context().done(); });
  }

  std::vector<Future<int>> futures;
  std::vector<Resolver<int>> resolvers;
  CancelSource source = futures::with_cancel(forever);
};

auto fresh() {
  return [] { return std::make_unique<State>(); };
}

Error failure(std::string message) { return {Errc::unavailable, std::move(message)}; }

// Input 1 fails, and nobody else does anything until he is asked to stop. Each of the others
// answers on the spot, from inside the cancellation.
TEST(MyTest, AFailureEndsAllWhateverThePositionAndTheAnswers) {
  workbook::stress_on(
      2, workbook::rounds(200), fresh(),
      [](auto& state, std::size_t thread) {
        if (thread == 0) {
          state->resolvers[1].reject(failure("the cause"));
          return;
        }
        const auto answer = [&](std::size_t i) {
          return [&state, i] { state->resolvers[i].reject(Error{Errc::cancelled, "as told"}); };
        };
        const std::stop_callback zero(state->resolvers[0].context().stop_token(), answer(0));
        const std::stop_callback two(state->resolvers[2].context().stop_token(), answer(2));
        const auto result = futures::all(forever, state->futures);
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().message, "the cause");
        EXPECT_TRUE(state->cancelled(0) && state->cancelled(2)) << "the siblings run on";
      },
      [](auto&) {});
}

TEST(MyTest, FirstIsPatientWithFailuresAndTellsTheLosers) {
  workbook::stress_on(
      2, workbook::rounds(200), fresh(),
      [](auto& state, std::size_t thread) {
        if (thread == 0) {
          state->resolvers[0].reject(failure("no"));
          state->resolvers[1].resolve(7);
          return;
        }
        EXPECT_EQ(show(futures::first(forever, state->futures)), "value 7");
        EXPECT_TRUE(state->cancelled(2)) << "the race is over, and nobody told the loser";
      },
      [](auto& state) {
        state->resolvers[2].resolve(8);  // long after the race
        EXPECT_EQ(show(futures::first<int>(forever, {state->futures[2]})), "value 8");
      });
}

TEST(MyTest, FirstNamesEveryFailure) {
  workbook::stress_on(
      3, workbook::rounds(100), fresh(),
      [](auto& state, std::size_t thread) {
        if (thread == 0) state->resolvers[0].reject(failure("alpha"));
        if (thread == 1) {
          state->resolvers[2].reject(failure("gamma"));
          state->resolvers[1].reject(failure("beta"));
        }
        if (thread != 2) return;
        const auto result = futures::first(forever, state->futures);
        ASSERT_FALSE(result);
        for (const auto* name : {"alpha", "beta", "gamma"}) {
          EXPECT_NE(result.error().message.find(name), std::string::npos) << name;
        }
      },
      [](auto&) {});
}

// What settled before the cancellation counts, and what did not is reported as cancelled.
TEST(MyTest, ACancellationTakesNothingAway) {
  workbook::stress_on(
      3, workbook::rounds(200), fresh(),
      [](auto& state, std::size_t thread) {
        const auto& context = state->source.context();
        if (thread == 0) {
          state->resolvers[1].resolve(1);
          state->resolvers[2].reject(failure("no"));
          state->source.cancel();
        } else if (thread == 1) {
          EXPECT_EQ(show(futures::wait_all(context, state->futures)),
                    "error cancelled, value 1, error unavailable");
        } else {
          EXPECT_EQ(show(futures::first(context, state->futures)), "value 1");
        }
      },
      [](auto&) {});
}

}  // namespace
