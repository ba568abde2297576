// Task 8: many callers at once.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>
#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "suite_support.hpp"

namespace user_loader_suite {

// A crowd asks for one user while the load is held until all of them are inside. On a machine that
// is too busy for that some may come late, and then they are right to start a load of their own:
// what counts is that none is started while the first is held.
inline void a_crowd_shares_one_load(std::size_t size, const std::string& outcome,
                                    std::function<Result<User>(const User&)> finish) {
  const Stillness stillness;
  std::atomic<std::size_t> loads{0};
  workbook::Gate may_begin;  // a crowd that polls leaves no time to start the rest of it
  workbook::Gate may_end;
  UserLoader loader([&](const Context&, const std::string& id) -> Result<User> {
    ++loads;
    may_end.wait();
    return finish(user_of_load(1, id));
  });
  std::vector<std::string> outcomes(size);
  bool all_were_inside = false;
  std::size_t loads_at_a_time = 0;
  {
    std::vector<std::jthread> callers;
    for (std::string& mine : outcomes) {
      callers.emplace_back([&] {
        may_begin.wait();
        mine = got(loader.get(forever, "ada"));
      });
    }
    may_begin.open();
    all_were_inside = stillness.wait(3s);
    loads_at_a_time = loads;
    may_end.open();
  }
  const auto asked = std::to_string(size) +
                     " callers asked for the same user while it was being "
                     "loaded, and the backend was asked more than once";
  EXPECT_LE(loads_at_a_time, 1u) << asked;
  if (all_were_inside) {
    EXPECT_EQ(loads, 1u) << asked;
  }
  const auto right = std::ranges::count(outcomes, outcome);
  EXPECT_EQ(static_cast<std::size_t>(right), size)
      << "everybody gets a copy of " << outcome << "; somebody got "
      << *std::ranges::find_if(outcomes, [&](const auto& text) { return text != outcome; });
}

// Sanitizers pay dearly for each thread, and more for those that poll.
inline const std::size_t thousand = workbook::flavour() == workbook::Flavour::plain ? 1000 : 60;

TEST(Stress, AThousandCallersMakeOneLoad) {
  a_crowd_shares_one_load(thousand, load_1, [](const User& user) { return user; });
}

TEST(Stress, AThousandCallersShareOneFailure) {
  a_crowd_shares_one_load(thousand, "error unavailable", [](const User&) -> Result<User> {
    return std::unexpected(Error{Errc::unavailable, "down"});
  });
}

TEST(Stress, AHundredCallersShareOneException) {
  a_crowd_shares_one_load(workbook::crowd(100), "error exception",
                          [](const User&) -> Result<User> { throw std::runtime_error("torn"); });
}

TEST(Stress, HundredsOfUsersAreLoadedAtTheSameTime) {
  const auto size = static_cast<std::ptrdiff_t>(workbook::crowd(300) / 2);  // and their callers
  std::latch missing(size);
  workbook::Gate all_here;
  std::atomic<int> met{0};
  UserLoader loader([&](const Context&, const std::string& id) -> Result<User> {
    missing.count_down();
    if (missing.try_wait()) all_here.open();
    if (all_here.wait_for()) ++met;
    return user_of_load(1, id);
  });
  {
    std::vector<std::jthread> callers;
    for (std::ptrdiff_t i = 0; i < size; ++i) {
      callers.emplace_back([&loader, id = "user " + std::to_string(i)] {
        EXPECT_EQ(got(loader.get(forever, id)), "value \"load 1 of " + id + "\"");
      });
    }
  }
  EXPECT_EQ(met, size) << "every load waited for the others to begin: loads of different users "
                          "must not wait for each other";
}

// However many: there is no crew of a size that is enough. One caller starts them all: each load
// sends its caller away and goes on.
TEST(Stress, AThousandUsersAreLoadedAtTheSameTime) {
  const std::size_t size = workbook::crowd(1000);
  struct Shared {
    std::shared_ptr<CancelSource> caller;  // of the load that begins next
    std::atomic<std::size_t> begun{0};
    workbook::Gate may_end;
  };
  const auto shared = std::make_shared<Shared>();
  UserLoader loader([shared](const Context&, const std::string& id) -> Result<User> {
    ++shared->begun;
    const auto caller = shared->caller;
    caller->cancel();
    shared->may_end.wait();  // deaf
    return user_of_load(1, id);
  });
  for (std::size_t i = 0; i < size; ++i) {
    shared->caller = std::make_shared<CancelSource>(with_timeout(forever, workbook::patience));
    const auto outcome = got(loader.get(shared->caller->context(), "user " + std::to_string(i)));
    EXPECT_EQ(outcome, "error cancelled") << i
                                          << " loads were under way, and the next one did not "
                                             "begin: what does it wait for?";
    if (outcome != "error cancelled") break;
  }
  EXPECT_EQ(shared->begun, size);
  shared->may_end.open();
}

// Nobody leaves and nobody forgets, so there is never a reason for a second load while one runs.
TEST(Stress, LoadsOfOneUserNeverOverlap) {
  struct State {
    std::atomic<int> running{0};
    std::atomic<std::size_t> loads{0};
    UserLoader loader{[this](const Context&, const std::string& id) -> Result<User> {
      EXPECT_EQ(++running, 1) << "a load was started while another one of the same user was under "
                                 "way: is there a gap between looking for one and starting one?";
      const std::size_t n = ++loads;
      std::this_thread::yield();
      --running;
      return user_of_load(n, id);
    }};
  };
  workbook::stress_on(
      4, workbook::rounds(200), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t) {
        EXPECT_TRUE(got(state->loader.get(forever, "ada")).starts_with("value \"load "));
      },
      [](auto& state) { EXPECT_LE(state->loads, 4u); });
}

TEST(Stress, CallersWhoLeaveDoNotDisturbThoseWhoStay) {
  struct State {
    CancelSource source = with_cancel(forever);
    UserLoader loader{[](const Context& context, const std::string& id) -> Result<User> {
      std::this_thread::yield();
      if (context.done()) return std::unexpected(*context.error());
      return user_of_load(1, id);
    }};
  };
  workbook::stress_on(
      5, workbook::rounds(200), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t thread) {
        if (thread == 0) {
          state->source.cancel();
          return;
        }
        const bool patient = thread > 2;
        const auto outcome =
            got(state->loader.get(patient ? forever : state->source.context(), "ada"));
        if (patient) {
          EXPECT_EQ(outcome, "value \"load 1 of ada\"") << "the others left, this caller stayed";
        } else {
          EXPECT_TRUE(outcome == "value \"load 1 of ada\"" || outcome == "error cancelled")
              << outcome;
        }
      },
      [](auto&) {});
}

// Everybody writes, forgets, and asks: nobody may get what was there before they wrote.
TEST(Stress, WhoeverForgetsGetsWhatIsThereNow) {
  struct State {
    std::atomic<int> version{0};
    UserLoader loader{[this](const Context&, const std::string& id) -> Result<User> {
      const int seen = version;
      std::this_thread::yield();
      return User{id, std::to_string(seen)};
    }};
  };
  workbook::stress_on(
      4, workbook::rounds(200), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t) {
        const int written = ++state->version;
        state->loader.forget("ada");
        const auto user = state->loader.get(forever, "ada");
        ASSERT_TRUE(user) << user.error().message;
        EXPECT_GE(std::stoi(user->name), written)
            << "version " << written << " was written before forget was called, and the load that "
            << "get joined after that had begun earlier";
      },
      [](auto&) {});
}

}  // namespace user_loader_suite
