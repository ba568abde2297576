// What can go wrong between the two ends of a future: who settles, which callbacks run, what they
// may do, and what is left when they have run.
#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <utility>

#include "future.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"
#include "testing/kit.hpp"

namespace {

using futures::CancelSource;
using futures::Context;
using futures::Errc;
using futures::Error;
using futures::Future;
using futures::Resolver;
using futures::Result;
using workbook::Tracked;

struct State {
  State() : State(futures::make_future<int>()) {}
  explicit State(std::pair<Future<int>, Resolver<int>> ends)
      : future(std::move(ends.first)), resolver(std::move(ends.second)) {}

  Future<int> future;
  Resolver<int> resolver;
  CancelSource source = futures::with_cancel(Context::background());
  std::atomic<int> calls{0};
  std::atomic<int> registered{0};
  std::atomic<int> wins{0};
};

auto fresh_state() {
  return [] { return std::make_unique<State>(); };
}

TEST(MyTest, ACallbackLeavesNothingBehind) {
  const int before = Tracked::live();
  workbook::stress_on(
      2, workbook::rounds(100), fresh_state(),
      [](auto& state, std::size_t thread) {
        if (thread == 0) {
          state->future.on_settled([&, kept = Tracked(1), self = state->future](
                                       const Result<int>& result) { state->calls += *result; });
        } else {
          state->resolver.resolve(1);
        }
      },
      [&](auto& state) {
        EXPECT_EQ(state->calls, 1);
        EXPECT_EQ(Tracked::live(), before) << "the callback has run, its captures are still alive";
      });
}

TEST(MyTest, EveryFutureLearnsThatItsResolverIsGone) {
  workbook::stress(2, workbook::rounds(100), [](std::size_t, std::size_t) {
    auto [replaced, resolver] = futures::make_future<int>();
    {
      auto [other, other_resolver] = futures::make_future<int>();
      resolver = std::move(other_resolver);
    }
    ASSERT_TRUE(replaced.settled()) << "nobody is left who could settle it";
    EXPECT_EQ(replaced.await(Context::background()).error().code, Errc::broken_promise);
  });
}

TEST(MyTest, OneThrowingCallbackHarmsNobody) {
  workbook::stress_on(
      2, workbook::rounds(20), fresh_state(),
      [](auto& state, std::size_t thread) {
        if (thread != 0) return;
        state->future.on_settled([](const Result<int>&) { throw std::runtime_error("oops"); });
        state->future.on_settled([&](const Result<int>&) { ++state->calls; });
        state->future.on_settled([](const Result<int>&) { throw 42; });
        try {
          state->resolver.resolve(1);
        } catch (...) {
        }
      },
      [](auto& state) { EXPECT_EQ(state->calls, 1); });
  futures::take_escaped_exceptions();
}

TEST(MyTest, TheValueBeatsTheCancellationThatFollowsIt) {
  workbook::stress_on(
      2, workbook::rounds(300), fresh_state(),
      [](auto& state, std::size_t thread) {
        if (thread == 0) {
          state->resolver.resolve(7);
          state->source.cancel();
        } else {
          EXPECT_EQ(state->future.await(state->source.context()), 7);
        }
      },
      [](auto&) {});
}

TEST(MyTest, CallbacksRunOnceWheneverTheyCome) {
  workbook::stress_on(
      4, workbook::rounds(500), fresh_state(),
      [](auto& state, std::size_t thread) {
        if (thread == 0) {
          while (state->registered < 6) std::this_thread::yield();
          state->wins += state->resolver.resolve(1);
          return;
        }
        if (thread == 1) state->wins += state->resolver.reject(Error{Errc::unavailable, ""});
        for (int i = 0; i < 6; ++i) {
          state->future.on_settled([&](const Result<int>&) { ++state->calls; });
          ++state->registered;
        }
      },
      [](auto& state) {
        EXPECT_EQ(state->wins, 1);
        EXPECT_EQ(state->calls, state->registered);
      });
}

TEST(MyTest, ACallbackMayUseItsFutureAndACancelledProducerMaySettle) {
  workbook::stress_on(
      2, workbook::rounds(50), fresh_state(),
      [](auto& state, std::size_t thread) {
        if (thread != 0) return;
        state->future.on_settled([&](const Result<int>&) {
          state->calls += state->future.settled();
          state->calls += !state->future.await(Context::background()).has_value();
        });
        const std::stop_callback answer(state->resolver.context().stop_token(), [&] {
          state->resolver.reject(Error{Errc::cancelled, "as you wish"});
        });
        state->future.cancel();
      },
      [](auto& state) { EXPECT_EQ(state->calls, 2); });
}

}  // namespace
