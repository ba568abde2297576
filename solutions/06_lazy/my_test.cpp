// What can happen to a lazy value in one moment: several ask first, one of them leaves, an attempt
// fails, the object goes away.
#include <atomic>
#include <memory>
#include <string>

#include "lazy.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "testing/kit.hpp"

namespace {

using namespace futures;

TEST(MyTest, FourFirstAwaitersShareOneRun) {
  struct State {
    std::atomic<int> runs{0};
    Lazy<std::string> lazy{[this](const Context&) -> Result<std::string> {
      ++runs;
      return std::string(100, 'x');
    }};
  };
  workbook::stress_on(
      4, workbook::rounds(200), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t) {
        const auto result = state->lazy.await(Context::background());
        EXPECT_TRUE(result == std::string(100, 'x')) << "somebody got something else";
      },
      [](auto& state) { EXPECT_EQ(state->runs, 1); });
}

// The rule: errors that one thread sees come from later and later attempts, and then comes the
// value. `last_failure` failures, so last_failure + 1 runs, whoever makes them.
TEST(MyTest, FourAwaitersGoThroughFailuresTogether) {
  constexpr int last_failure = 3;
  struct State {
    std::atomic<int> runs{0};
    RetryLazy<int> lazy{[this](const Context&) -> Result<int> {
      const int run = ++runs;
      if (run <= last_failure) {
        return std::unexpected(Error{Errc::unavailable, std::to_string(run)});
      }
      return run;
    }};
  };
  workbook::stress_on(
      4, workbook::rounds(200), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t) {
        int seen = 0;
        auto result = state->lazy.await(Context::background());
        while (!result) {
          const int attempt = std::stoi(result.error().message);
          ASSERT_GT(attempt, seen) << "an error of an attempt that was over";
          seen = attempt;
          result = state->lazy.await(Context::background());
        }
        EXPECT_EQ(*result, last_failure + 1) << "a value that fn never returned";
      },
      [](auto& state) { EXPECT_EQ(state->runs, last_failure + 1); });
}

// One thread cancels; fn goes on only after it has.
TEST(MyTest, WhoeverIsCancelledLeavesAndTheOthersStay) {
  struct State {
    std::shared_ptr<workbook::Gate> gate = std::make_shared<workbook::Gate>();
    CancelSource source = with_cancel(Context::background());
    Lazy<int> lazy{[gate = gate](const Context&) -> Result<int> {
      gate->wait();
      return 7;
    }};
  };
  workbook::stress_on(
      4, workbook::rounds(200), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t thread) {
        if (thread == 0) {
          state->source.cancel();
        } else if (thread == 1) {
          EXPECT_FALSE(state->lazy.await(state->source.context())) << "fn has not returned yet";
          state->gate->open();
        } else {
          EXPECT_EQ(state->lazy.await(Context::background()), 7) << "nobody cancelled this one";
        }
      },
      [](auto&) {});
}

TEST(MyTest, ALazyMayGoAwayWhileFnIsStillAtWork) {
  struct State {
    CancelSource source = with_cancel(Context::background());
    std::unique_ptr<Lazy<int>> lazy = std::make_unique<Lazy<int>>(
        [](const Context& ctx) -> Result<int> { return ctx.done() ? 1 : 2; });
  };
  workbook::stress_on(
      2, workbook::rounds(300), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t thread) {
        if (thread == 0) {
          state->source.cancel();
        } else {
          const auto result = state->lazy->await(state->source.context());
          EXPECT_TRUE(result.has_value() || result.error().code == Errc::cancelled);
          state->lazy.reset();
        }
      },
      [](auto&) {});
}

}  // namespace
