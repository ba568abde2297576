// Your own test of task 8. It earns the third point when it breaks a version that looks right:
// one of your own earlier ones, or one of the workbook's. It must never fail on a right one.
#include <atomic>
#include <memory>
#include <string>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "testing/kit.hpp"
#include "user_loader.hpp"

namespace {

using futures::Context;
using futures::Result;
using futures::User;
using futures::UserLoader;

// An example to copy. It passes on a right loader, and on most wrong ones as well: every load
// succeeds at once, everybody has all the time in the world, and nobody asks twice. What happens to
// these when
//   - the load counts how many loads of the same user are running, itself included?
//   - the context of one caller is cancelled, and the load looks whether its own has ended?
//   - the first load fails, and everybody asks until there is a user?
//   - a caller remembers which load it got, calls forget, and asks again?
//   - the loader is destroyed as soon as all callers are back, although a load is still running?
TEST(MyTest, EverybodyGetsTheUser) {
  struct State {
    std::atomic<int> loads{0};
    UserLoader loader{[this](const Context&, const std::string& id) -> Result<User> {
      ++loads;
      return User{id, "Ada"};
    }};
  };
  workbook::stress_on(
      4, workbook::rounds(100),                  // four threads, a hundred times
      [] { return std::make_unique<State>(); },  // fresh for each round
      [](auto& state, std::size_t) {             // on all four at once
        const auto user = state->loader.get(Context::background(), "ada");
        EXPECT_TRUE(user == User({"ada", "Ada"}));
      },
      [](auto& state) {  // when all have finished
        EXPECT_GE(state->loads, 1);
        EXPECT_LE(state->loads, 4);
      });
}

}  // namespace
