// What several awaiters with deadlines can do to each other and to fn: come at once, leave, be
// late, drop their handles. And what is left when fn has returned.
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

#include "deadline_future.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "testing/kit.hpp"

namespace {

using namespace std::chrono_literals;
using namespace futures;
using workbook::eventually;
using workbook::forever;
using workbook::show;
using workbook::Tracked;

// fn works until its context ends or the gate opens, and says which: the context's error, or 7.
struct State {
  std::shared_ptr<workbook::Gate> may_end = std::make_shared<workbook::Gate>();
  std::shared_ptr<std::atomic<bool>> deaf = std::make_shared<std::atomic<bool>>(false);
  std::optional<DeadlineFuture<int>> future =
      go_with_deadline<int>([may_end = may_end, deaf = deaf](const Context& ctx) -> Result<int> {
        const auto hears = [&] { return !*deaf && ctx.done(); };
        while (!may_end->is_open() && !hears()) ctx.sleep_for(1ms);
        if (hears()) return std::unexpected(*ctx.error());
        return 7;
      });
  std::vector<DeadlineFuture<int>> copies = std::vector(4, *future);
  Clock::time_point start = Clock::now();
  std::atomic<int> left{0};
};

auto fresh_state() {
  return [] { return std::make_unique<State>(); };
}

bool no_timer_runs() {
  return eventually([] { return detail::Timer::instance().pending() == 0; });
}

TEST(MyTest, TheEarliestOfFourWinsAndNoTimerIsLeft) {
  workbook::stress_on(
      5, workbook::rounds(60), fresh_state(),
      [](auto& state, std::size_t thread) {
        if (thread == 0) {
          EXPECT_TRUE(eventually([&] { return state->future->deadline() == state->start + 1h; }))
              << "one has an hour, the others two to four";
          state->may_end->open();
        } else {
          const auto mine = with_deadline(forever, state->start + thread * 1h);
          EXPECT_EQ(show(state->copies[thread - 1].await(mine.context())), "value 7");
        }
      },
      [](auto& state) {
        EXPECT_EQ(show(state->future->await(with_timeout(forever, 1h).context())), "value 7");
        EXPECT_EQ(show(state->future->await(workbook::ended())), "value 7");
        state->future.reset();
        state->copies.clear();
        EXPECT_TRUE(no_timer_runs()) << "fn has returned, nobody is left, and something waits for "
                                        "its deadline";
      });
}

TEST(MyTest, ThirtyAwaitsStartNoThread) {
  constexpr std::size_t awaiters = 30;
  const auto before = workbook::live_threads();
  workbook::stress_on(
      awaiters + 1, workbook::rounds(10),
      [] {
        auto state = std::make_unique<State>();
        state->copies.assign(awaiters, *state->future);
        return state;
      },
      [before](auto& state, std::size_t thread) {
        if (thread == 0) {
          EXPECT_TRUE(eventually([&] {
            return state->left == awaiters && state->future->deadline() == state->start + 1h;
          }));
          // Ours, fn's, the timer's, and a few that an odd design may want.
          EXPECT_LE(workbook::live_threads(), before + awaiters + 12) << "who are they all?";
          state->may_end->open();
        } else {
          ++state->left;
          const auto mine = with_deadline(forever, state->start + thread * 1h);
          EXPECT_EQ(show(state->copies[thread - 1].await(mine.context())), "value 7");
        }
      },
      [](auto&) {});
}

TEST(MyTest, TheMostHurriedOneEndsFnAndNobodyElseDoes) {
  workbook::stress_on(
      4, workbook::rounds(60), fresh_state(),
      [](auto& state, std::size_t thread) {
        auto& future = state->copies[thread];
        if (thread == 0) {  // changes its mind
          auto mine = with_timeout(forever, 1h);
          mine.cancel();
          EXPECT_EQ(show(future.await(mine.context())), "error cancelled");
          ++state->left;
        } else if (thread == 1) {
          EXPECT_TRUE(eventually([&] { return state->left == 1; }));
          const auto mine =
              with_deadline(forever, state->start + 1ms);  // perhaps it is late by now
          EXPECT_EQ(show(future.await(mine.context())), "error deadline exceeded");
        } else {
          EXPECT_EQ(show(future.await(forever)), "error deadline exceeded")
              << "that is fn's answer";
        }
      },
      [](auto&) {});
}

TEST(MyTest, FnDecidesWhateverTheDeadline) {
  workbook::stress_on(
      3, workbook::rounds(60), fresh_state(),
      [](auto& state, std::size_t thread) {
        if (thread == 0) {
          *state->deaf = true;
          const auto mine = with_timeout(forever, 1ms);
          EXPECT_EQ(show(state->future->await(mine.context())), "error deadline exceeded");
          state->future->cancel();
          state->may_end->open();
        } else {
          EXPECT_EQ(show(state->copies[thread].await(forever)), "value 7");
        }
      },
      [](auto& state) { EXPECT_EQ(show(state->future->await(forever)), "value 7"); });
}

TEST(MyTest, TheLastHandleAndNoOtherCancelsFn) {
  workbook::stress_on(
      5, workbook::rounds(60),
      [] {
        struct Abandoned {
          std::shared_ptr<std::atomic<int>> ended = std::make_shared<std::atomic<int>>(0);
          std::vector<std::optional<DeadlineFuture<Tracked>>> handles;
        };
        auto state = std::make_unique<Abandoned>();
        state->handles.assign(5,
                              go_with_deadline<Tracked>([ended = state->ended](const Context& ctx) {
                                const bool slept = ctx.sleep_for(workbook::patience);
                                *ended = slept ? 1 : 2;
                                return Result<Tracked>(Tracked(1));
                              }));
        return state;
      },
      [](auto& state, std::size_t thread) {
        auto& mine = *state->handles[thread];
        const auto hour = with_timeout(workbook::ended(), 1h);
        EXPECT_EQ(show(mine.await(hour.context())), "error cancelled") << "fn is at work";
        state->handles[thread].reset();
      },
      [](auto& state) {
        EXPECT_TRUE(eventually([&] { return *state->ended != 0; }, 10s));
        EXPECT_EQ(*state->ended, 2) << "five handles are gone, and fn was not told";
        EXPECT_TRUE(no_timer_runs());
        EXPECT_TRUE(eventually([] { return Tracked::live() == 0; }));
      });
}

TEST(MyTest, AnythingThrownIsAnOutcomeAndAStopCallbackMayUseTheFuture) {
  workbook::stress(2, workbook::rounds(30), [](std::size_t, std::size_t) {
    std::optional<DeadlineFuture<int>> future;
    workbook::Gate given;
    workbook::Gate listening;
    future = go_with_deadline<int>([&](const Context& ctx) -> Result<int> {
      given.wait();
      const std::stop_callback ask(ctx.stop_token(), [&] { (void)future->deadline(); });
      listening.open();
      ctx.sleep_for(workbook::patience);
      throw 42;
    });
    given.open();
    listening.wait();
    future->cancel();
    EXPECT_EQ(show(future->await(forever)), "error exception");
  });
}

}  // namespace
