// Task 7: first the group, then the profile. Many functions at once are in suite_stress.hpp, who
// waits for whom in suite_lifecycle.hpp, races for the explorer in suite_explored.hpp.
#include <array>
#include <atomic>
#include <chrono>
#include <concepts>
#include <latch>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "fetch_profile.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "suite_support.hpp"
#include "testing/kit.hpp"

#ifndef WORKBOOK_RUNS_EXPLORED_ONLY
namespace fetch_profile_suite {

using namespace futures;  // these files are parts of one suite, nobody else includes them

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

}  // namespace fetch_profile_suite

// clang-format off: in the order in which a learner meets them
#include "suite_stress.hpp"
#include "suite_lifecycle.hpp"
#endif
#include "suite_explored.hpp"
// clang-format on
