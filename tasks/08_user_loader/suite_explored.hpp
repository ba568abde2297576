// Task 8: small races, for the schedule explorer to try in every order.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "suite_support.hpp"

namespace user_loader_suite {

inline constexpr bool time_is_virtual = workbook::flavour() == workbook::Flavour::explored;

// Under the explorer: until everybody else waits for something, or for more time than this.
inline void let_time_pass(std::chrono::milliseconds time) {
  std::this_thread::sleep_for(time_is_virtual ? time : 1ms);
}

// A load that looks at its context once. If that has ended, nobody is there to want the user.
inline UserLoader::Load obedient() {
  return [](const Context& context, const std::string& id) -> Result<User> {
    if (context.done()) return std::unexpected(*context.error());
    return user_of_load(1, id);
  };
}

// Not std::jthread: the fewer steps a test has, the more of its schedules are tried.
class Thread {
 public:
  template <class F>
  explicit Thread(F body) : thread_(std::move(body)) {}
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;
  ~Thread() {
    if (thread_.joinable()) thread_.join();
  }
  void join() { thread_.join(); }

 private:
  std::thread thread_;
};

TEST(Explored, TwoCallersNeverMakeTwoLoadsAtATime) {
  std::atomic<int> running{0};  // one load may begin after another without having heard of it
  UserLoader loader([&](const Context&, const std::string& id) -> Result<User> {
    EXPECT_EQ(++running, 1) << "a load was started while another one of the same user was running";
    --running;
    return user_of_load(1, id);
  });
  Thread other([&] { EXPECT_EQ(got(loader.get(forever, "ada")), load_1); });
  EXPECT_EQ(got(loader.get(forever, "ada")), load_1);
}

// Everybody is woken for the one who leaves, and then for the outcome.
TEST(Explored, AnOutcomeComesWhileAnotherCallerLeaves) {
  const auto source =
      std::make_shared<CancelSource>(with_cancel(forever));  // a load may outlive us
  UserLoader loader([source](const Context&, const std::string& id) -> Result<User> {
    source->cancel();
    return user_of_load(1, id);
  });
  Thread other([&] { (void)loader.get(source->context(), "ada"); });
  EXPECT_EQ(got(loader.get(forever, "ada")), load_1);
}

TEST(Explored, ACallerThatHasLeftIsLeftAlone) {
  UserLoader loader(obedient());
  auto source = with_cancel(forever);
  Thread canceller([&] { source.cancel(); });
  (void)loader.get(source.context(), "ada");
  EXPECT_TRUE(workbook::stack_is_left_alone([&] {
    canceller.join();
    let_time_pass(1ms);
  })) << "get has returned, and somebody still wrote to what it had on its stack";
}

TEST(Explored, AFailureThatWasSeenIsNotSeenAgain) {
  std::atomic<std::size_t> loads{0};
  UserLoader loader([&](const Context&, const std::string& id) -> Result<User> {
    if (++loads == 1) return std::unexpected(Error{Errc::unavailable, "down"});
    return user_of_load(loads, id);
  });
  EXPECT_EQ(got(loader.get(forever, "ada")), "error unavailable");
  EXPECT_EQ(got(loader.get(forever, "ada")), load_2) << "load 1 failed; it is not remembered";
}

TEST(Explored, ACallerLeavesWhileTheLoadGoesOn) {
  UserLoader loader([](const Context& context, const std::string&) { return until_told(context); });
  auto source = with_cancel(forever);
  Thread canceller([&] { source.cancel(); });
  EXPECT_EQ(got(loader.get(source.context(), "ada")), "error cancelled");
}

TEST(Explored, TheLastOfTwoWhoLeaveAtOnceCancelsTheLoad) {
  UserLoader loader([](const Context& context, const std::string&) { return until_told(context); });
  auto one = with_cancel(forever);
  auto two = with_cancel(forever);
  Thread first([&] { EXPECT_EQ(got(loader.get(one.context(), "ada")), "error cancelled"); });
  Thread second([&] { EXPECT_EQ(got(loader.get(two.context(), "ada")), "error cancelled"); });
  one.cancel();
  two.cancel();
}

// One caller's time is up in the moment in which another one comes.
TEST(Explored, ANewcomerNeverJoinsACancelledLoad) {
  UserLoader loader([](const Context& context, const std::string& id) -> Result<User> {
    if (context.sleep_for(time_is_virtual ? 1s : 20ms)) return user_of_load(1, id);
    return std::unexpected(*context.error());
  });
  const auto source = with_timeout(forever, 10ms);
  Thread impatient([&] { EXPECT_NE(got(loader.get(source.context(), "ada")), "error cancelled"); });
  let_time_pass(10ms);
  EXPECT_EQ(got(loader.get(forever, "ada")), load_1)
      << "the load was cancelled because another caller had left; this one had all the time in the "
         "world. Is leaving last and taking the load out of the table one step?";
}

// Load 1 is given up and ends in the same moment, load 2 takes its place, and somebody asks for a
// third time.
inline void the_end_of_load_1_leaves_load_2_in_its_place(bool forgotten) {
  struct Shared {
    std::atomic<std::size_t> loads{0};
    workbook::Gate entered;
    workbook::Gate may_end;
    std::atomic<bool> cancelled{false};  // load 1 was told so before its end
  };
  const auto shared = std::make_shared<Shared>();  // load 1 may still be there at the end
  UserLoader loader([shared](const Context& context, const std::string& id) -> Result<User> {
    const std::size_t n = ++shared->loads;
    if (n > 1) {
      let_time_pass(1s);
    } else {
      shared->entered.open();
      shared->may_end.wait();
      shared->cancelled = context.done();
    }
    return user_of_load(n, id);
  });
  auto source = with_cancel(forever);
  Thread first([&] {
    const auto outcome = got(loader.get(source.context(), "ada"));
    EXPECT_TRUE(outcome == load_1 || (!forgotten && outcome == "error cancelled")) << outcome;
  });
  shared->entered.wait();
  shared->may_end.open();
  if (forgotten) {
    loader.forget("ada");
  } else {
    source.cancel();
    first.join();
  }
  std::string second;
  Thread other([&] { second = got(loader.get(forever, "ada")); });
  let_time_pass(10ms);  // load 2 has begun
  const auto third = got(loader.get(forever, "ada"));
  other.join();
  if (!time_is_virtual) return;  // load 2 may have ended
  // Load 1 may have ended by itself before it could be cancelled, and its value is as good as any.
  if (!forgotten && !shared->cancelled && (second == load_1 || third == load_1)) return;
  EXPECT_EQ(second, load_2);
  EXPECT_EQ(third, load_2)
      << "load 2 was under way, and a third one was begun: did the end of load "
         "1 take the entry of load 2 out of the table?";
}

TEST(Explored, TheEndOfACancelledLoadLeavesTheNewOneInItsPlace) {
  the_end_of_load_1_leaves_load_2_in_its_place(false);
}

TEST(Explored, TheEndOfAForgottenLoadLeavesTheNewOneInItsPlace) {
  the_end_of_load_1_leaves_load_2_in_its_place(true);
}

TEST(Explored, WhoLeavesLastDoesNotTouchTheLoadOfANewcomer) {
  struct Shared {
    std::atomic<std::size_t> loads{0};
    std::atomic<int> running{0};  // of those that somebody waits for
    workbook::Gate entered;
    workbook::Gate may_end;
  };
  const auto shared = std::make_shared<Shared>();
  UserLoader loader([shared](const Context&, const std::string& id) -> Result<User> {
    const std::size_t n = ++shared->loads;
    if (n > 1) {
      EXPECT_EQ(++shared->running, 1)
          << "a load was started next to another one that somebody was waiting for: did the caller "
             "who left before them take it out of the table?";
      let_time_pass(1s);
      --shared->running;
    } else {
      shared->entered.open();
      shared->may_end.wait();  // deaf
    }
    return user_of_load(n, id);
  });
  auto source = with_cancel(forever);
  Thread first([&] { (void)loader.get(source.context(), "ada"); });
  shared->entered.wait();
  source.cancel();
  // Before the first one has left these join load 1, after it they share load 2.
  Thread second([&] { EXPECT_TRUE(loader.get(forever, "ada")); });
  let_time_pass(10ms);
  Thread third([&] { EXPECT_TRUE(loader.get(forever, "ada")); });
  let_time_pass(10ms);
  shared->may_end.open();
}

// Two callers share a load. When it is over one of them ends the other one's context.
inline void a_user_that_came_before_the_cancellation_wins(bool starter_is_cancelled) {
  std::atomic<int> loads{0};
  workbook::Gate begun;
  UserLoader loader([&](const Context&, const std::string& id) -> Result<User> {
    ++loads;
    begun.open();
    let_time_pass(1s);  // both have joined
    return user_of_load(1, id);
  });
  auto source = with_cancel(forever);
  const auto get_and_cancel = [&] {
    EXPECT_EQ(got(loader.get(forever, "ada")), load_1);
    source.cancel();
  };
  const auto be_cancelled =
      [&] {
        const auto outcome = got(loader.get(source.context(), "ada"));
        // In real time the joiner may come when everything is over, its context included.
        if (loads == 1 && (time_is_virtual || starter_is_cancelled)) {
          EXPECT_EQ(outcome, load_1)
              << "another caller of the same load had the user already when this one's context was "
                 "cancelled: the user comes first";
        }
      };
  if (starter_is_cancelled) {
    Thread starter(be_cancelled);
    begun.wait();
    get_and_cancel();
  } else {
    Thread starter(get_and_cancel);
    begun.wait();
    be_cancelled();
  }
}

TEST(Explored, AUserThatCameBeforeTheStartersCancellationWins) {
  a_user_that_came_before_the_cancellation_wins(true);
}

TEST(Explored, AUserThatCameBeforeTheJoinersCancellationWins) {
  a_user_that_came_before_the_cancellation_wins(false);
}

TEST(Explored, WhoeverForgetsGetsWhatIsThereNow) {
  std::atomic<int> version{1};
  UserLoader loader([&](const Context&, const std::string& id) -> Result<User> {
    return User{id, "version " + std::to_string(version)};
  });
  Thread other([&] { EXPECT_TRUE(loader.get(forever, "ada")); });
  version = 2;
  loader.forget("ada");
  const auto user = loader.get(forever, "ada");
  ASSERT_TRUE(user) << user.error().message;
  EXPECT_EQ(user->name, "version 2") << "this load began before forget was called";
}

TEST(Explored, TheLoaderMayGoAwayAsSoonAsGetReturned) {
  auto loader = std::make_unique<UserLoader>(obedient());
  EXPECT_EQ(got(loader->get(forever, "ada")), load_1);
  loader.reset();  // the load's thread may still be on its way out
}

TEST(Explored, TheLoaderMayGoAwayWhereverTheLoadIs) {
  auto source = std::make_unique<CancelSource>(with_cancel(forever));
  auto id = std::make_unique<std::string>("ada");
  auto loader = std::make_unique<UserLoader>(
      [tracked = workbook::Tracked(7)](const Context& context, const std::string& name) {
        EXPECT_EQ(tracked.value, 7);
        EXPECT_EQ(name, "ada");
        static_cast<void>(context.done());
        return Result<User>(user_of_load(1, name));
      });
  {
    Thread canceller([&] { source->cancel(); });
    const auto outcome = got(loader->get(source->context(), *id));
    EXPECT_TRUE(outcome == load_1 || outcome == "error cancelled") << outcome;
  }
  // The load may be anywhere: not begun, at work, or done.
  *id = "bob";
  id.reset();
  source.reset();
  loader.reset();
}

}  // namespace user_loader_suite
