// Task 7: who waits for whom, what is destroyed when, and what a cancellation changes.
#pragma once

#include <atomic>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>

#include "fetch_profile.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "suite_support.hpp"
#include "testing/kit.hpp"

namespace fetch_profile_suite {

using namespace futures;  // these files are parts of one suite, nobody else includes them

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

}  // namespace fetch_profile_suite
