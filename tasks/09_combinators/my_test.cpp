// Your own test of task 9. It earns the third point when it breaks a version that looks right:
// one of your own earlier ones, or one of the workbook's. It must never fail on a right one.
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "combinators.hpp"
#include "future.hpp"
#include "runtime/context.hpp"
#include "testing/kit.hpp"

namespace {

using futures::Context;
using futures::Future;
using futures::Resolver;

struct State {
  State() {
    for (int i = 0; i < 3; ++i) {
      auto [future, resolver] = futures::make_future<int>();
      futures.push_back(std::move(future));
      resolvers.push_back(std::move(resolver));
    }
  }
  std::vector<Future<int>> futures;
  std::vector<Resolver<int>> resolvers;
};

// An example to copy. It passes on right combinators, and on most wrong ones as well: everything
// succeeds, in order, and nobody loses interest. What happens when
//   - an input in the middle fails while those before it are pending?
//   - you look at the producers' contexts (resolvers[i].context()) after first() or all() returned?
//   - inputs settle after the call has returned, on another thread?
//   - a context is cancelled right after the last input has settled?
//   - a producer answers its cancellation with an error of its own?
TEST(MyTest, AllOfThree) {
  workbook::stress_on(
      2, workbook::rounds(100), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t thread) {
        if (thread == 0) {
          for (int i = 0; i < 3; ++i) state->resolvers[i].resolve(i);
        } else {
          EXPECT_EQ(futures::all(Context::background(), state->futures),
                    std::vector<int>({0, 1, 2}));
        }
      },
      [](auto&) {});
}

}  // namespace
