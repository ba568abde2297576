// What can go wrong in a pipeline: who is cancelled, which function runs, what is left of it, and
// how deep the stack gets.
#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "future.hpp"
#include "pipeline.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "testing/kit.hpp"

namespace {

using futures::CancelSource;
using futures::Context;
using futures::Errc;
using futures::Error;
using futures::Future;
using futures::Resolver;
using futures::Result;
using workbook::eventually;
using workbook::forever;
using workbook::Tracked;

struct Source {
  Source() : Source(futures::make_future<int>()) {}
  explicit Source(std::pair<Future<int>, Resolver<int>> ends)
      : future(std::move(ends.first)), resolver(std::move(ends.second)) {}

  Future<int> future;
  Resolver<int> resolver;
};

struct State {
  Source head;
  Source inner;
  CancelSource scope = futures::with_cancel(forever);
  std::atomic<int> calls{0};
};

auto fresh_state() {
  return [] { return std::make_unique<State>(); };
}

Result<int> plus_one(int value) { return value + 1; }

TEST(MyTest, ValueAndCancellationAtOnce) {
  const int before = Tracked::live();
  workbook::stress_on(
      2, workbook::rounds(100),
      [] {
        auto state = std::make_unique<State>();
        auto output = futures::map<int>(
            state->scope.context(), state->head.future,
            [&calls = state->calls, captured = Tracked(1)](int value) -> Result<int> {
              ++calls;
              return value + captured.value;
            });
        return std::pair(std::move(state), output);
      },
      [](auto& race, std::size_t thread) {
        if (thread == 0) {
          race.first->head.resolver.resolve(1);
        } else {
          race.first->scope.cancel();
        }
      },
      [](auto& race) {
        ASSERT_TRUE(eventually([&] { return race.second.settled(); }));
        const auto result = race.second.await(forever);
        EXPECT_TRUE(result ? *result == 2 && race.first->calls == 1
                           : result.error().code == Errc::cancelled);
      });
  EXPECT_TRUE(eventually([&] { return Tracked::live() == before; }));
}

TEST(MyTest, ACancelledThenCancelsWhatItWaitsFor) {
  workbook::stress_on(
      2, workbook::rounds(50), fresh_state(),
      [](auto& state, std::size_t thread) {
        if (thread != 0) return;
        const auto output = futures::then<int>(state->scope.context(), state->head.future,
                                               [&](const Context&, int) {
                                                 ++state->calls;
                                                 return state->inner.future;
                                               });
        state->head.resolver.resolve(1);
        EXPECT_TRUE(eventually([&] { return state->calls == 1; }));
        state->scope.cancel();
        EXPECT_TRUE(eventually([&] { return output.settled(); }));
        EXPECT_TRUE(eventually([&] { return state->inner.resolver.context().done(); }));
      },
      [](auto&) {});
}

TEST(MyTest, ACancelledStageCallsNothingAndKeepsNothing) {
  const int before = Tracked::live();
  workbook::stress_on(
      2, workbook::rounds(50), fresh_state(),
      [&](auto& state, std::size_t thread) {
        if (thread != 0) return;
        const auto output = futures::recover<int>(
            state->scope.context(), state->head.future,
            [&calls = state->calls, captured = Tracked(1)](const Error&) -> Result<int> {
              ++calls;
              return captured.value;
            });
        state->scope.cancel();
        EXPECT_TRUE(eventually([&] { return output.settled(); }));
        EXPECT_TRUE(eventually([&] { return state->head.resolver.context().done(); }));
        state->head.resolver.reject(Error{Errc::unavailable, "too late"});
        EXPECT_FALSE(output.await(forever).has_value());
        EXPECT_TRUE(eventually([&] { return Tracked::live() == before; }));
      },
      [](auto& state) { EXPECT_EQ(state->calls, 0); });
}

TEST(MyTest, AnythingThatIsThrownIsAnError) {
  workbook::stress(2, workbook::rounds(20), [](std::size_t, std::size_t) {
    Source source;
    const auto output =
        futures::map<int>(forever, source.future, [](int) -> Result<int> { throw 42; });
    source.resolver.resolve(1);
    ASSERT_TRUE(eventually([&] { return output.settled(); }));
    EXPECT_EQ(output.await(forever).error().code, Errc::exception);
  });
}

TEST(MyTest, AChainThatWaitsForItselfFails) {
  workbook::stress(2, workbook::rounds(20), [](std::size_t, std::size_t) {
    Source source;
    auto own = std::make_shared<Future<int>>();
    *own = futures::then<int>(forever, source.future, [own](const Context&, int) { return *own; });
    source.resolver.resolve(1);
    EXPECT_TRUE(eventually([&] { return own->settled(); }));
    *own = {};
  });
}

TEST(MyTest, LongPipelinesNeedNoDeepStack) {
  static constexpr int stages = 20'000;
  workbook::stress(2, 2, [](std::size_t, std::size_t round) {
    Source source;
    auto output = source.future;
    for (int i = 0; i < stages; ++i) output = futures::map<int>(forever, output, plus_one);
    if (round == 0) {
      source.resolver.resolve(0);
      EXPECT_EQ(output.await(forever), stages);
    } else {
      output.cancel();
      source.resolver.reject(Error{Errc::cancelled, "told by nobody else"});
      EXPECT_FALSE(output.await(forever));
    }
  });
}

}  // namespace
