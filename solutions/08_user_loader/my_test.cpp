// What can happen to a load in one moment: callers come together, one of them leaves, it fails, it
// is forgotten, and the loader goes away.
#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "testing/kit.hpp"
#include "user_loader.hpp"

namespace {

using namespace futures;

const Context kForever = Context::background();

TEST(MyTest, NobodyStartsALoadBesideAnother) {
  struct State {
    std::atomic<int> running{0};
    UserLoader loader{[this](const Context&, const std::string& id) -> Result<User> {
      EXPECT_EQ(++running, 1) << "two loads of one user at a time";
      std::this_thread::yield();
      --running;
      return User{id, std::string(100, 'x')};
    }};
  };
  workbook::stress_on(
      4, workbook::rounds(60), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t) {
        const auto user = state->loader.get(kForever, "ada");
        EXPECT_TRUE(user && user->name == std::string(100, 'x'));
      },
      [](auto&) {});
}

// The rule: failures that one thread sees come from later and later loads, and then comes the user.
TEST(MyTest, NobodySeesTheSameFailureTwice) {
  struct State {
    std::atomic<int> loads{0};
    UserLoader loader{[this](const Context&, const std::string& id) -> Result<User> {
      const int load = ++loads;
      if (load > 3) return User{id, "Ada"};
      return std::unexpected(Error{Errc::unavailable, std::to_string(load)});
    }};
  };
  workbook::stress_on(
      4, workbook::rounds(60), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t) {
        int seen = 0;
        auto user = state->loader.get(kForever, "ada");
        while (!user) {
          ASSERT_EQ(user.error().code, Errc::unavailable);
          const int load = std::stoi(user.error().message);
          ASSERT_GT(load, seen) << "a failure of a load that was over";
          seen = load;
          user = state->loader.get(kForever, "ada");
        }
      },
      [](auto&) {});
}

// Threads 0 and 1 are cancelled by thread 2; thread 3 stays. The loader goes away when they are
// back, wherever the loads are.
TEST(MyTest, WhoeverLeavesDisturbsNobody) {
  struct State {
    CancelSource source = with_cancel(kForever);
    UserLoader loader{[](const Context& context, const std::string& id) -> Result<User> {
      std::this_thread::yield();
      if (context.done()) return std::unexpected(*context.error());
      return User{id, "Ada"};
    }};
  };
  workbook::stress_on(
      4, workbook::rounds(100), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t thread) {
        if (thread == 2) {
          state->source.cancel();
        } else if (thread == 3) {
          EXPECT_TRUE(state->loader.get(kForever, "ada")) << "nobody cancelled this caller";
        } else {
          const auto user = state->loader.get(state->source.context(), "ada");
          EXPECT_TRUE(user || user.error().code == Errc::cancelled);
        }
      },
      [](auto&) {});
}

// The load ignores its context: whoever leaves has to leave without it.
TEST(MyTest, ADeafLoadHoldsUpNobodyWhoLeaves) {
  workbook::stress(1, workbook::rounds(50), [](std::size_t, std::size_t) {
    const auto may_end = std::make_shared<workbook::Gate>();
    workbook::Gate begun;
    std::atomic<int> loads{0};
    UserLoader loader([&, may_end](const Context& context, const std::string& id) -> Result<User> {
      const int load = ++loads;
      if (load == 1) {
        begun.open();
        may_end->wait();
        EXPECT_TRUE(workbook::eventually([&] { return context.done(); })) << "nobody waits for it";
      }
      return User{id, std::to_string(load)};
    });
    auto source = with_cancel(kForever);
    std::jthread impatient([&] { EXPECT_FALSE(loader.get(source.context(), "ada")); });
    begun.wait();
    source.cancel();
    impatient.join();
    const auto newcomer = loader.get(kForever, "ada");
    EXPECT_TRUE(newcomer == User({"ada", "2"})) << "load 1 was cancelled before this caller came";
    may_end->open();
    EXPECT_TRUE(workbook::eventually([] { return spawned_threads() == 0; }));
  });
}

TEST(MyTest, WhoeverForgetsGetsWhatIsThereNow) {
  struct State {
    std::atomic<int> version{0};
    UserLoader loader{[this](const Context&, const std::string& id) -> Result<User> {
      return User{id, std::to_string(version)};
    }};
  };
  workbook::stress_on(
      4, workbook::rounds(60), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t) {
        const int written = ++state->version;
        state->loader.forget("ada");
        const auto user = state->loader.get(kForever, "ada");
        EXPECT_TRUE(user && std::stoi(user->name) >= written) << "older than what this one wrote";
      },
      [](auto&) {});
}

}  // namespace
