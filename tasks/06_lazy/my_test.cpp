// Your own test of task 6. It earns the third point when it breaks a version that looks right:
// one of your own earlier ones, or one of the workbook's. It must never fail on a right one.
#include <atomic>
#include <memory>

#include "lazy.hpp"
#include "runtime/context.hpp"
#include "testing/kit.hpp"

namespace {

using futures::Context;
using futures::Lazy;
using futures::Result;

// An example to copy. It passes on a right Lazy, and on most wrong ones as well: only one thread
// ever asks, fn never fails, every context is alive, and the Lazy outlives everything. What happens
// to these when you
//   - let several threads ask for the first time in the same moment, and count the runs of fn?
//   - let fn wait for a workbook::Gate, and cancel an awaiter's context meanwhile?
//   - make a RetryLazy's fn fail once or twice, and look at who gets which attempt's error?
//   - destroy the Lazy as soon as await() has returned?
TEST(MyTest, OneThreadAsksTwice) {
  struct State {
    std::atomic<int> runs{0};
    Lazy<int> lazy{[this](const Context&) -> Result<int> { return ++runs; }};
  };
  workbook::stress_on(
      2, workbook::rounds(100),                  // two threads, a hundred times
      [] { return std::make_unique<State>(); },  // fresh for each round
      [](auto& state, std::size_t thread) {      // on both threads at once
        if (thread == 0) EXPECT_EQ(state->lazy.await(Context::background()), 1);
      },
      [](auto& state) {  // when both have finished
        EXPECT_EQ(state->lazy.await(Context::background()), 1);
        EXPECT_EQ(state->runs, 1);
      });
}

}  // namespace
