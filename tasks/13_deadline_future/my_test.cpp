// Your own test of task 13. It earns the third point when it breaks a version that looks right:
// one of your own earlier ones, or one of the workbook's. It must never fail on a right one.
#include <atomic>
#include <memory>

#include "deadline_future.hpp"
#include "runtime/context.hpp"
#include "testing/kit.hpp"

namespace {

using namespace std::chrono_literals;
using futures::Context;
using futures::DeadlineFuture;
using futures::Result;

// Works until the gate opens, and returns 7.
struct State {
  std::shared_ptr<workbook::Gate> may_end = std::make_shared<workbook::Gate>();
  DeadlineFuture<int> future =
      futures::go_with_deadline<int>([may_end = may_end](const Context&) -> Result<int> {
        may_end->wait();
        return 7;
      });
};

// An example to copy. It passes on a right future, and on most wrong ones as well: there is one
// deadline, it is an hour away, and fn does not even look at its context. What happens when
//   - several threads await with deadlines at different hours, and you look which one is in force?
//   - fn sleeps in its context, the deadline is a millisecond away, and you ask fn why it was
//   woken?
//   - an awaiter's context is cancelled while it waits: is somebody else the worse for it?
//   - copies of the handle go away on several threads, and fn tells you whether it was cancelled?
//   - fn returns: how many entries has futures::detail::Timer::instance().pending() then?
TEST(MyTest, AnAwaitBringsItsDeadline) {
  workbook::stress_on(
      2, workbook::rounds(100),                  // two threads, a hundred times
      [] { return std::make_unique<State>(); },  // fresh for each round
      [](auto& state, std::size_t thread) {      // on both threads at once
        if (thread == 0) {
          const auto hour = futures::with_timeout(Context::background(), 1h);
          EXPECT_EQ(workbook::show(state->future.await(hour.context())), "value 7");
        } else {
          EXPECT_TRUE(workbook::eventually([&] { return state->future.deadline().has_value(); }));
          state->may_end->open();
        }
      },
      [](auto& state) {  // when both have finished
        EXPECT_EQ(workbook::show(state->future.await(Context::background())), "value 7");
      });
}

}  // namespace
