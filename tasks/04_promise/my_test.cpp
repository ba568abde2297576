// Your own test of task 4. It earns the third point when it breaks a version that looks right:
// one of your own earlier ones, or one of the workbook's. It must never fail on a right one.
#include <atomic>
#include <memory>

#include "promise.hpp"
#include "runtime/context.hpp"
#include "testing/kit.hpp"

namespace {

using futures::Context;
using futures::Promise;

// An example to copy. It passes on a right promise, and on most wrong ones as well: it has one
// resolver, so nobody can win twice; nobody waits while the promise is settled; every context is
// alive. What happens to these when you
//   - let several threads resolve and reject the same promise, and count who was told "true"?
//   - have several awaiters asleep at the moment when it settles?
//   - cancel an awaiter's context in the same moment, or just after resolve() has returned?
//   - delete the promise as soon as await() has returned?
TEST(MyTest, ResolveAndAwaitOnTwoThreads) {
  struct State {
    Promise<int> promise;
    std::atomic<bool> settled{false};
  };
  workbook::stress_on(
      2, workbook::rounds(100),                  // two threads, a hundred times
      [] { return std::make_unique<State>(); },  // fresh for each round
      [](auto& state, std::size_t thread) {      // on both threads at once
        if (thread == 0) state->settled = state->promise.resolve(7);
      },
      [](auto& state) {  // when both have finished
        EXPECT_TRUE(state->settled);
        EXPECT_EQ(state->promise.await(Context::background()), 7);
      });
}

}  // namespace
