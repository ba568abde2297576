// Task 7: small races, for the schedule explorer to try in every order.
#pragma once

#include <atomic>
#include <memory>
#include <thread>
#include <utility>

#include "fetch_profile.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "suite_support.hpp"
#include "testing/kit.hpp"

namespace fetch_profile_suite {

using namespace futures;  // these files are parts of one suite, nobody else includes them

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
