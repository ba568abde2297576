// The checks of task 7: first the group, then the profile.
#include <array>
#include <atomic>
#include <concepts>
#include <functional>
#include <latch>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "fetch_profile.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "testing/kit.hpp"

namespace fetch_profile_suite {

using futures::Backend;
using futures::Context;
using futures::Errc;
using futures::Error;
using futures::ErrorGroup;
using futures::fetch_profile;
using futures::Order;
using futures::Profile;
using futures::Recommendation;
using futures::Result;
using futures::User;
using futures::with_cancel;
using futures::with_timeout;

// The types of the contract: a value of any other could compare equal to whatever is expected.
static_assert(
    requires(ErrorGroup& group) {
      { group.wait() } -> std::same_as<Result<void>>;
    }, "wait() returns a Result<void>");
static_assert(
    requires(const Context& context, Backend& backend) {
      { fetch_profile(context, backend, "ada") } -> std::same_as<Result<Profile>>;
    }, "fetch_profile() returns a Result<Profile>");
static_assert(
    requires(Profile& profile) {
      { profile.user } -> std::same_as<User&>;
    }, "this part of Profile was given");
static_assert(
    requires(Profile& profile) {
      { profile.orders } -> std::same_as<std::vector<Order>&>;
    }, "this part of Profile was given");
static_assert(
    requires(Profile& profile) {
      { profile.recommendations } -> std::same_as<std::vector<Recommendation>&>;
    }, "this part of Profile was given");
static_assert(
    requires(User& user) {
      { user.id } -> std::same_as<std::string&>;
    }, "User was given");
static_assert(
    requires(User& user) {
      { user.name } -> std::same_as<std::string&>;
    }, "User was given");
static_assert(
    requires(Order& order) {
      { order.id } -> std::same_as<std::string&>;
    }, "Order was given");
static_assert(
    requires(Recommendation& recommendation) {
      { recommendation.sku } -> std::same_as<std::string&>;
    }, "Recommendation was given");

const Context kForever = Context::background();
const Error kDown{Errc::unavailable, "the service is down"};

// An object, so that no overload in a header under test stands in for them.
constexpr auto fail_with = [](const Error& error) { return std::unexpected(error); };

constexpr auto said = [](const Result<void>& result) -> std::string {
  return result ? "success" : "the error \"" + result.error().message + "\"";
};

// Waits until the context ends. A function that nobody tells to stop is still there when the test
// has run out of patience.
Result<void> until_told(const Context& context) {
  EXPECT_FALSE(context.sleep_for(workbook::patience))
      << "nobody told this function to stop, although another one had failed";
  return fail_with(context.error().value_or(Error{Errc::corrupt, "never told"}));
}

// A backend whose three answers each test can replace.
class FakeBackend : public Backend {
 public:
  using Prelude = std::function<Result<void>(const Context&)>;

  Result<User> fetch_user(const Context& context, std::string_view id) override {
    if (auto go_on = user(context); !go_on) return fail_with(go_on.error());
    return User{std::string(id), "Ada"};
  }
  Result<std::vector<Order>> fetch_orders(const Context& context, std::string_view id) override {
    if (auto go_on = orders(context); !go_on) return fail_with(go_on.error());
    return std::vector{Order{std::string(id) + "-1"}, Order{std::string(id) + "-2"}};
  }
  Result<std::vector<Recommendation>> fetch_recommendations(const Context& context,
                                                            std::string_view id) override {
    if (auto go_on = recommendations(context); !go_on) return fail_with(go_on.error());
    return std::vector{Recommendation{std::string(id) + "-tea"}};
  }

  // What each of the three does before it answers; an error is its answer.
  Prelude user = [](const Context&) { return Result<void>(); };
  Prelude orders = user;
  Prelude recommendations = user;

  // The first, second and third of them, for tests that go through all positions.
  Prelude& at(int position) {
    return position == 0 ? user : position == 1 ? orders : recommendations;
  }
};

const Profile kAdasProfile{{"ada", "Ada"}, {{"ada-1"}, {"ada-2"}}, {{"ada-tea"}}};
constexpr std::array kParts{"user", "orders", "recommendations"};

#ifndef WORKBOOK_RUNS_EXPLORED_ONLY

// Basic: the group --------------------------------------------------------------------------------

TEST(Basic, AnEmptyGroupSucceeds) {
  ErrorGroup group(kForever);
  EXPECT_TRUE(group.wait());
  EXPECT_FALSE(ErrorGroup(kForever).context().done()) << "nothing has failed in a new group";
}

TEST(Basic, EveryFunctionRunsOnceAndWaitSucceeds) {
  ErrorGroup group(kForever);
  std::array<std::atomic<int>, 3> runs{};
  for (auto& run : runs) {
    group.go([&run](const Context&) {
      ++run;
      return Result<void>();
    });
  }
  EXPECT_EQ(said(group.wait()), "success");
  for (const auto& run : runs) EXPECT_EQ(run, 1);
}

TEST(Basic, FunctionsOfAGroupRunAtTheSameTime) {
  ErrorGroup group(kForever);
  workbook::Gate first_is_here;
  workbook::Gate second_is_here;
  std::atomic<int> met{0};
  group.go([&](const Context&) {
    first_is_here.open();
    if (second_is_here.wait_for()) ++met;
    return Result<void>();
  });
  group.go([&](const Context&) {
    second_is_here.open();
    if (first_is_here.wait_for()) ++met;
    return Result<void>();
  });
  EXPECT_TRUE(group.wait());
  EXPECT_EQ(met, 2) << "each of two functions waited for the other one to start";
}

TEST(Basic, WaitReturnsTheErrorOfAFunction) {
  for (const Error& error : workbook::errors_of_all_kinds()) {
    ErrorGroup group(kForever);
    group.go([&error](const Context&) -> Result<void> { return fail_with(error); });
    const auto outcome = group.wait();
    ASSERT_FALSE(outcome) << "a function failed, and wait said success";
    EXPECT_EQ(outcome.error(), error);
    EXPECT_TRUE(group.context().done()) << "a failure ends the group's context";
  }
}

TEST(Basic, AFailureStopsTheOthersAndIsReturned) {
  ErrorGroup group(kForever);
  group.go(until_told);
  group.go([](const Context&) -> Result<void> { return fail_with(kDown); });
  group.go(until_told);
  EXPECT_EQ(said(group.wait()), "the error \"the service is down\"")
      << "the first error in time is the cause; what the others say when they stop is not";
}

TEST(Basic, AFunctionMayFailWithCancelledOfItsOwnAccord) {
  const Error gave_up{Errc::cancelled, "the customer took back the order"};
  ErrorGroup group(kForever);
  group.go([&](const Context&) -> Result<void> { return fail_with(gave_up); });
  group.go([](const Context& context) -> Result<void> {
    (void)until_told(context);
    return fail_with(kDown);
  });
  const auto outcome = group.wait();
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error(), gave_up)
      << "what came first is the cause, whatever its code; the other one failed after it";
}

TEST(Basic, AnExceptionIsAnErrorAndStopsTheOthers) {
  ErrorGroup thrown(kForever);
  thrown.go(until_told);
  thrown.go([](const Context&) -> Result<void> { throw std::runtime_error("out of cheese"); });
  const auto outcome = thrown.wait();
  ASSERT_FALSE(outcome) << "a function threw, and wait said success";
  EXPECT_EQ(outcome.error().code, Errc::exception) << said(outcome);
  EXPECT_NE(outcome.error().message.find("out of cheese"), std::string::npos)
      << "what() of the exception should be in the message: " << outcome.error().message;

  ErrorGroup odd(kForever);
  odd.go([](const Context&) -> Result<void> { throw 42; });
  const auto odd_outcome = odd.wait();
  ASSERT_FALSE(odd_outcome) << "a function threw 42, and wait said success";
  EXPECT_EQ(odd_outcome.error().code, Errc::exception);
}

TEST(Basic, TheParentsCancellationReachesTheFunctions) {
  auto parent = with_cancel(kForever);
  ErrorGroup group(parent.context());
  std::latch started(3);
  for (int i = 0; i < 3; ++i) {
    group.go([&started](const Context& context) {
      started.count_down();
      return until_told(context);
    });
  }
  started.wait();
  parent.cancel();
  const auto outcome = group.wait();
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Errc::cancelled) << said(outcome);
}

TEST(Basic, TheParentsDeadlineReachesTheFunctions) {
  const auto parent = with_timeout(kForever, std::chrono::milliseconds(2));
  ErrorGroup group(parent.context());
  group.go(until_told);
  const auto outcome = group.wait();
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Errc::deadline_exceeded) << said(outcome);
}

TEST(Basic, UnderADeadParentAGroupDoesNotSucceed) {
  auto parent = with_cancel(kForever);
  parent.cancel();
  ErrorGroup group(parent.context());
  group.go([](const Context& context) -> Result<void> {
    if (context.done()) return fail_with(*context.error());
    return {};
  });
  const auto outcome = group.wait();
  ASSERT_FALSE(outcome) << "the function saw a context that had not ended, or was left out in "
                           "silence";
  EXPECT_EQ(outcome.error().code, Errc::cancelled);
}

// Basic: the profile ------------------------------------------------------------------------------

TEST(Basic, AProfileHasItsThreeParts) {
  FakeBackend backend;
  const auto profile = fetch_profile(kForever, backend, "ada");
  ASSERT_TRUE(profile) << "all three fetches succeeded: " << profile.error().message;
  EXPECT_EQ(profile->user.id + " " + profile->user.name, "ada Ada");
  ASSERT_EQ(profile->orders.size(), 2U);
  EXPECT_EQ(profile->orders[0].id + " " + profile->orders[1].id, "ada-1 ada-2");
  ASSERT_EQ(profile->recommendations.size(), 1U);
  EXPECT_EQ(profile->recommendations[0].sku, "ada-tea");
}

TEST(Basic, AnIdMayBePartOfALongerText) {
  FakeBackend backend;
  for (const std::string_view id : {std::string_view("ada,bob").substr(0, 3),
                                    std::string_view("a\0b", 3), std::string_view()}) {
    const auto profile = fetch_profile(kForever, backend, id);
    ASSERT_TRUE(profile) << profile.error().message;
    EXPECT_EQ(profile->user.id, id) << "a string_view says itself where it ends";
  }
}

TEST(Basic, TheThreeFetchesRunAtTheSameTime) {
  FakeBackend backend;
  std::latch missing(3);
  workbook::Gate all_here;
  std::atomic<int> met{0};
  backend.user = backend.orders = backend.recommendations = [&](const Context&) {
    missing.count_down();
    if (missing.try_wait()) all_here.open();
    if (all_here.wait_for()) ++met;
    return Result<void>();
  };
  EXPECT_TRUE(fetch_profile(kForever, backend, "ada"));
  EXPECT_EQ(met, 3) << "each fetch waited for the other two to start";
}

TEST(Basic, WhicheverFetchFailsTheProfileFails) {
  for (int part = 0; part < 3; ++part) {
    FakeBackend backend;
    backend.at(part) = [](const Context&) -> Result<void> { return fail_with(kDown); };
    const auto profile = fetch_profile(kForever, backend, "ada");
    ASSERT_FALSE(profile) << "the " << kParts[static_cast<std::size_t>(part)]
                          << " could not be fetched: half a profile is none";
    EXPECT_EQ(profile.error(), kDown);
  }
}

TEST(Basic, WhicheverFetchFailsTheOthersAreToldToStop) {
  for (int part = 0; part < 3; ++part) {
    FakeBackend backend;
    std::latch under_way(2);  // whoever comes after a failure need not be started at all
    backend.user = backend.orders = backend.recommendations = [&](const Context& context) {
      under_way.count_down();
      return until_told(context);
    };
    backend.at(part) = [&](const Context&) -> Result<void> {
      under_way.wait();
      return fail_with(kDown);
    };
    const auto profile = fetch_profile(kForever, backend, "ada");
    ASSERT_FALSE(profile);
    EXPECT_EQ(profile.error(), kDown)
        << "the " << kParts[static_cast<std::size_t>(part)]
        << " failed first; the others failed because of that: " << profile.error().message;
  }
}

TEST(Basic, WhicheverFetchThrowsTheProfileFails) {
  for (int part = 0; part < 3; ++part) {
    FakeBackend backend;
    backend.user = backend.orders = backend.recommendations = until_told;
    backend.at(part) = [](const Context&) -> Result<void> {
      throw std::runtime_error("no socket");
    };
    const auto profile = fetch_profile(kForever, backend, "ada");
    ASSERT_FALSE(profile) << "what fetches the " << kParts[static_cast<std::size_t>(part)]
                          << " threw";
    EXPECT_EQ(profile.error().code, Errc::exception) << profile.error().message;
  }
}

TEST(Basic, TheCallersCancellationReachesTheFetches) {
  FakeBackend backend;
  auto caller = with_cancel(kForever);
  std::atomic<int> missing{3};
  backend.user = backend.orders = backend.recommendations = [&](const Context& context) {
    if (--missing == 0) caller.cancel();  // all three are under way
    return until_told(context);
  };
  const auto profile = fetch_profile(caller.context(), backend, "ada");
  ASSERT_FALSE(profile);
  EXPECT_EQ(profile.error().code, Errc::cancelled) << profile.error().message;
}

// Stress ------------------------------------------------------------------------------------------

TEST(Stress, WhatSiblingsSayWhenTheyStopNeverHidesTheCause) {
  workbook::stress(1, workbook::rounds(200), [](std::size_t, std::size_t) {
    ErrorGroup group(kForever);
    for (int i = 0; i < 6; ++i) group.go(until_told);
    group.go([](const Context&) -> Result<void> { return fail_with(kDown); });
    EXPECT_EQ(said(group.wait()), "the error \"the service is down\"")
        << "the siblings stopped because of the error, so it was first; is it recorded before "
           "they are told?";
  });
}

TEST(Stress, OfManyErrorsExactlyOneStands) {
  workbook::stress(1, workbook::rounds(100), [](std::size_t, std::size_t) {
    ErrorGroup group(kForever);
    std::latch together(8);
    for (int i = 0; i < 8; ++i) {
      group.go([&together, i](const Context&) -> Result<void> {
        together.arrive_and_wait();
        return fail_with(Error{Errc::unavailable, "number " + std::to_string(i)});
      });
    }
    const auto outcome = group.wait();
    ASSERT_FALSE(outcome);
    EXPECT_TRUE(outcome.error().message.starts_with("number ")) << said(outcome);
  });
}

TEST(Stress, WaitReturnsOnlyWhenEveryoneIsBack) {
  workbook::stress(1, workbook::rounds(100), [](std::size_t, std::size_t) {
    // Plain variables: when a function is still running, this is a race as well.
    std::array<bool, 4> back{};
    ErrorGroup group(kForever);
    for (auto& flag : back) {
      group.go([&flag](const Context& context) {
        auto outcome = until_told(context);
        std::this_thread::yield();  // some stop slowly
        flag = true;
        return outcome;
      });
    }
    group.go([](const Context&) -> Result<void> { return fail_with(kDown); });
    EXPECT_FALSE(group.wait());
    for (const bool flag : back) EXPECT_TRUE(flag) << "wait returned before all functions had";
  });
}

TEST(Stress, ManyFunctionsStartedFromManyThreads) {
  struct State {
    std::atomic<int> ran{0};
    ErrorGroup group{kForever};
  };
  const std::size_t threads = workbook::crowd(8);
  workbook::stress_on(
      threads, workbook::rounds(20), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t) {
        for (int i = 0; i < 4; ++i) {
          state->group.go([&ran = state->ran](const Context&) {
            ++ran;
            return Result<void>();
          });
        }
      },
      [threads](auto& state) {
        EXPECT_EQ(said(state->group.wait()), "success");
        EXPECT_EQ(static_cast<std::size_t>(state->ran), 4 * threads);
      });
}

TEST(Stress, AGroupOfHundredsIsCancelledAsOne) {
  ErrorGroup group(kForever);
  const auto size = static_cast<std::ptrdiff_t>(workbook::crowd(300)) - 1;
  std::latch started(size);
  for (std::ptrdiff_t i = 0; i < size; ++i) {
    group.go([&started](const Context& context) {
      started.count_down();
      return until_told(context);
    });
  }
  group.go([&started](const Context&) -> Result<void> {
    started.wait();
    return fail_with(kDown);
  });
  EXPECT_EQ(said(group.wait()), "the error \"the service is down\"");
}

// Lifecycle ---------------------------------------------------------------------------------------

TEST(Lifecycle, AFunctionMayStartAnother) {
  ErrorGroup group(kForever);
  std::atomic<int> ran{0};
  group.go([&](const Context&) {
    group.go([&](const Context&) {
      group.go([&](const Context&) {
        ++ran;
        return Result<void>();
      });
      ++ran;
      return Result<void>();
    });
    ++ran;
    return Result<void>();
  });
  EXPECT_EQ(said(group.wait()), "success");
  EXPECT_EQ(ran, 3) << "wait has to wait for functions that were started by functions, too";
}

TEST(Lifecycle, AGroupThatHasFailedStaysFailed) {
  ErrorGroup group(kForever);
  group.go([](const Context&) -> Result<void> { return fail_with(kDown); });
  ASSERT_TRUE(workbook::eventually([&] { return group.context().done(); }));
  // Whether it runs or not: it can't see a living context, and it can't save the group.
  group.go([](const Context& context) {
    EXPECT_TRUE(context.done());
    return Result<void>();
  });
  EXPECT_EQ(said(group.wait()), "the error \"the service is down\"");
}

TEST(Lifecycle, WhoeverWaitsGetsTheWholeError) {
  ErrorGroup group(kForever);
  group.go([](const Context&) -> Result<void> { return fail_with(kDown); });
  std::string other;
  std::jthread([&] { other = said(group.wait()); }).join();
  EXPECT_EQ(other, "the error \"the service is down\"");
  EXPECT_EQ(said(group.wait()), other) << "the one who waits second is told less than the first";
}

TEST(Lifecycle, AnErrorAfterACancellationIsStillTheFirst) {
  auto parent = with_cancel(kForever);
  ErrorGroup group(parent.context());
  workbook::Gate begun;
  group.go([&begun](const Context& context) -> Result<void> {
    begun.open();
    while (!context.done()) (void)context.sleep_for(workbook::patience);
    return fail_with(kDown);
  });
  begun.wait();
  parent.cancel();
  EXPECT_EQ(said(group.wait()), "the error \"the service is down\"")
      << "a cancellation is a request; what the function says about it is the first error";
}

TEST(Lifecycle, WorkThatIsDoneIsNotUndoneByACancellation) {
  auto parent = with_cancel(kForever);
  ErrorGroup group(parent.context());
  workbook::Gate done;
  group.go([&done](const Context&) {
    done.open();
    return Result<void>();
  });
  done.wait();
  parent.cancel();
  EXPECT_EQ(said(group.wait()), "success") << "every function succeeded before the cancellation";
}

TEST(Lifecycle, EveryoneWhoWaitsWaitsForAllFunctions) {
  for (std::size_t i = 0; i < workbook::rounds(50); ++i) {
    ErrorGroup group(kForever);
    bool finished = false;  // plain on purpose: each wait must have waited for the writer
    workbook::Gate both_are_here;
    std::atomic<int> missing{2};
    group.go([&](const Context&) {
      both_are_here.wait();
      for (int n = 0; n < 20; ++n) std::this_thread::yield();
      finished = true;
      return Result<void>();
    });
    const auto wait = [&] {
      if (--missing == 0) both_are_here.open();
      EXPECT_EQ(said(group.wait()), "success");
      EXPECT_TRUE(finished) << "two threads wait, and one of them was sent away too early";
    };
    const std::jthread other(wait);
    wait();
  }
}

void who_is_told_to_stop_uses_the_group(bool on_another_thread) {
  ErrorGroup group(kForever);
  workbook::Gate listening;
  workbook::Gate called;
  std::atomic<bool> asked{false};
  group.go([&](const Context& context) -> Result<void> {
    const auto use_it = [&] {
      group.go([](const Context&) { return Result<void>(); });
      asked = group.context().done();
      called.open();
    };
    // Runs on the thread that ends the context.
    const std::stop_callback clean_up(context.stop_token(), [&] {
      if (on_another_thread) {
        std::jthread(use_it).join();
      } else {
        use_it();
      }
    });
    listening.open();
    // Not asleep on its context: that may wake it, and take the callback away, before its turn.
    static_cast<void>(called.wait_for());
    return until_told(context);
  });
  group.go([&](const Context&) -> Result<void> {
    listening.wait();
    return fail_with(kDown);
  });
  EXPECT_EQ(said(group.wait()), "the error \"the service is down\"");
  EXPECT_TRUE(asked) << "the group's context ends with the failure";
}

TEST(Lifecycle, WhoIsToldToStopMayUseTheGroup) { who_is_told_to_stop_uses_the_group(false); }

// A mutex that can be locked twice lets the same thread in, and nobody else.
TEST(Lifecycle, WhoIsToldToStopMayWaitForSomebodyWhoUsesTheGroup) {
  who_is_told_to_stop_uses_the_group(true);
}

TEST(Lifecycle, CapturesAreDestroyed) {
  const int before = workbook::Tracked::live();
  ErrorGroup group(kForever);
  group.go([tracked = workbook::Tracked()](const Context&) { return Result<void>(); });
  group.go([only = std::make_unique<workbook::Tracked>()](const Context&) -> Result<void> {
    return fail_with(kDown);
  });
  EXPECT_FALSE(group.wait());
  EXPECT_TRUE(workbook::eventually([&] { return workbook::Tracked::live() == before; }))
      << "the group keeps what its functions had captured";
}

TEST(Lifecycle, TheGroupMayBeDestroyedAtOnceAfterWait) {
  for (std::size_t i = 0; i < workbook::rounds(100); ++i) {
    auto group = std::make_unique<ErrorGroup>(kForever);
    for (int n = 0; n < 3; ++n) group->go([](const Context&) { return Result<void>(); });
    EXPECT_TRUE(group->wait());
    group.reset();  // a function that is still busy in there would be in trouble
  }
}

TEST(Lifecycle, NobodyUsesTheBackendAfterAFailedFetch) {
  for (std::size_t i = 0; i < workbook::rounds(50); ++i) {
    auto backend = std::make_unique<FakeBackend>();
    auto id = std::make_unique<std::string>("somebody with a long name, kept on the heap");
    backend->user = [](const Context&) -> Result<void> { return fail_with(kDown); };
    backend->orders = backend->recommendations = [](const Context& context) -> Result<void> {
      while (!context.done()) std::this_thread::yield();
      return {};  // and now it answers all the same
    };
    EXPECT_FALSE(fetch_profile(kForever, *backend, *id)) << "the user could not be fetched";
    id.reset();
    backend.reset();
  }
}

TEST(Lifecycle, AFetchThatIgnoresTheCancellationIsWaitedFor) {
  FakeBackend backend;
  workbook::Gate under_way;  // else it need not be started at all
  bool finished = false;     // plain on purpose: fetch_profile must have waited for the writer
  backend.user = [&](const Context& context) -> Result<void> {
    under_way.open();
    (void)until_told(context);
    for (int i = 0; i < 1000; ++i) std::this_thread::yield();  // it takes its time
    finished = true;
    return {};
  };
  backend.orders = [&](const Context&) -> Result<void> {
    under_way.wait();
    return fail_with(kDown);
  };
  const auto profile = fetch_profile(kForever, backend, "ada");
  EXPECT_FALSE(profile);
  EXPECT_TRUE(finished) << "fetch_profile returned while a fetch was still running";
}

#endif

// Explored: small, for all schedules --------------------------------------------------------------

TEST(Explored, TheCauseIsRecordedBeforeASiblingCanReport) {
  ErrorGroup group(kForever);
  group.go(until_told);
  group.go([](const Context&) -> Result<void> { return fail_with(kDown); });
  EXPECT_EQ(said(group.wait()), "the error \"the service is down\"");
}

TEST(Explored, WaitReturnsWhenTheLastOneIsBack) {
  bool first = false;
  bool second = false;
  ErrorGroup group(kForever);
  group.go([&](const Context&) {
    first = true;
    return Result<void>();
  });
  group.go([&](const Context&) -> Result<void> {
    second = true;
    return fail_with(kDown);
  });
  EXPECT_FALSE(group.wait());
  EXPECT_TRUE(first && second) << "wait returned before both functions had run";
}

TEST(Explored, TheGroupMayBeDestroyedOnceWaitReturns) {
  auto group = std::make_unique<ErrorGroup>(kForever);
  group->go([](const Context&) { return Result<void>(); });
  EXPECT_TRUE(group->wait());
  group.reset();
}

// Touches the caller's things when it is destroyed.
struct Farewell {
  explicit Farewell(int* left) : left(left) {}
  Farewell(Farewell&& other) noexcept : left(std::exchange(other.left, nullptr)) {}
  Farewell& operator=(Farewell&&) = delete;
  ~Farewell() {
    if (left != nullptr) ++*left;
  }
  int* left;
};

void what_was_captured_is_gone_when_wait_returns(Result<void> (*body)()) {
  int left = 0;
  ErrorGroup group(kForever);
  group.go([farewell = Farewell(&left), body](const Context&) { return body(); });
  static_cast<void>(group.wait());
  EXPECT_EQ(left, 1) << "wait has returned, and what the function had captured is still there; it "
                        "may refer to what the caller destroys next";
}

TEST(Explored, WhatWasCapturedIsGoneWhenWaitReturns) {
  what_was_captured_is_gone_when_wait_returns([] { return Result<void>(); });
}

TEST(Explored, WhatWasCapturedByOneThatFailsIsGoneWhenWaitReturns) {
  what_was_captured_is_gone_when_wait_returns([]() -> Result<void> { return fail_with(kDown); });
}

TEST(Explored, WhatWasCapturedByOneThatThrowsIsGoneWhenWaitReturns) {
  what_was_captured_is_gone_when_wait_returns([]() -> Result<void> { throw 42; });
}

TEST(Explored, WhatWasCapturedByOneThatComesTooLateIsGoneWhenWaitReturns) {
  int left = 0;
  auto parent = with_cancel(kForever);
  ErrorGroup group(parent.context());
  std::jthread canceller([&] { parent.cancel(); });
  group.go([farewell = Farewell(&left)](const Context&) { return Result<void>(); });
  static_cast<void>(group.wait());
  EXPECT_EQ(left, 1)
      << "started or not: wait has returned, and what it had captured is still there";
}

TEST(Explored, WhatAFunctionHasThrownIsGoneWithTheGroup) {
  const int before = workbook::Tracked::live();
  {
    ErrorGroup group(kForever);
    group.go([](const Context&) -> Result<void> { throw workbook::Tracked(); });
    EXPECT_FALSE(group.wait());
  }
  EXPECT_EQ(workbook::Tracked::live(), before)
      << "wait has returned, and what the function has thrown is still alive: it goes at the end "
         "of the catch block, so the function's thread was at work in there";
}

TEST(Explored, TwoWhoWaitBothWaitForTheFunction) {
  bool finished = false;
  ErrorGroup group(kForever);
  group.go([&](const Context&) {
    finished = true;
    return Result<void>();
  });
  const auto wait = [&] {
    EXPECT_TRUE(group.wait());
    EXPECT_TRUE(finished) << "two threads wait, and one of them was sent away too early";
  };
  const std::jthread other(wait);
  wait();
}

TEST(Explored, TheParentsCancellationIsNeverMissed) {
  auto parent = with_cancel(kForever);
  ErrorGroup group(parent.context());
  group.go(until_told);
  parent.cancel();
  EXPECT_FALSE(group.wait()) << "the function was told to stop and said so";
}

TEST(Explored, OfTwoErrorsTheLaterOneIsDropped) {
  ErrorGroup group(kForever);
  std::atomic<bool> first_is_known{false};
  group.go([](const Context&) -> Result<void> { return fail_with(Error{Errc::closed, "one"}); });
  group.go([&](const Context& context) -> Result<void> {
    first_is_known = context.done();
    return fail_with(Error{Errc::closed, "two"});
  });
  const auto outcome = group.wait();
  ASSERT_FALSE(outcome);
  if (first_is_known) {
    EXPECT_EQ(outcome.error().message, "one") << "two failed when one had ended the group already";
  }
}

TEST(Explored, WaitCoversAFunctionThatAFunctionStarted) {
  bool ran = false;
  ErrorGroup group(kForever);
  group.go([&](const Context&) {
    group.go([&](const Context&) {
      ran = true;
      return Result<void>();
    });
    return Result<void>();
  });
  EXPECT_TRUE(group.wait());
  EXPECT_TRUE(ran) << "wait returned before the function that a function had started";
}

TEST(Explored, AnExceptionStopsASibling) {
  ErrorGroup group(kForever);
  group.go(until_told);
  group.go([](const Context&) -> Result<void> { throw 42; });
  const auto outcome = group.wait();
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Errc::exception);
}

TEST(Explored, AFailedFetchStopsTheOthersAndIsReturned) {
  FakeBackend backend;
  backend.user = [](const Context&) -> Result<void> { return fail_with(kDown); };
  backend.orders = until_told;
  const auto profile = fetch_profile(kForever, backend, "ada");
  ASSERT_FALSE(profile);
  EXPECT_EQ(profile.error(), kDown);
}

}  // namespace fetch_profile_suite
