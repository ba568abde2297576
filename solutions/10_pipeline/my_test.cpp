// Your own test of task 10. It earns the third point when it breaks a version that looks right:
// one of your own earlier ones, or one of the workbook's. It must never fail on a right one.
#include <memory>
#include <utility>

#include "future.hpp"
#include "pipeline.hpp"
#include "runtime/context.hpp"
#include "testing/kit.hpp"

namespace {

using futures::CancelSource;
using futures::Context;
using futures::Future;
using futures::Resolver;
using futures::Result;

struct State {
  State() : State(futures::make_future<int>()) {}
  explicit State(std::pair<Future<int>, Resolver<int>> ends)
      : future(std::move(ends.first)), resolver(std::move(ends.second)) {}

  Future<int> future;
  Resolver<int> resolver;
  CancelSource scope = futures::with_cancel(Context::background());
};

// An example to copy. It passes on right pipelines, and on most wrong ones as well: one stage, one
// value, and nobody changes their mind. What happens when
//   - scope.cancel() comes while the value is on its way, or before it, or in fn?
//   - you look at resolver.context() after the scope was cancelled, or after output.cancel()?
//   - workbook::Tracked is among fn's captures, and the future never settles?
//   - there are a hundred thousand stages, and they settle, or fail, or are cancelled?
//   - fn throws something, returns Future<int>(), or returns the output itself?
TEST(MyTest, AStageMadeWhileTheHeadSettles) {
  workbook::stress_on(
      2, workbook::rounds(100), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t thread) {
        if (thread == 0) {
          state->resolver.resolve(1);
        } else {
          const auto output =
              futures::map<int>(state->scope.context(), state->future,
                                [](int value) -> Result<int> { return value + 1; });
          EXPECT_EQ(output.await(Context::background()), 2);
        }
      },
      [](auto&) {});
}

}  // namespace
