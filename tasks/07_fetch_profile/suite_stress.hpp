// Task 7: many functions at once, and the moments in which they meet.
#pragma once

#include <array>
#include <atomic>
#include <latch>
#include <memory>
#include <string>
#include <thread>

#include "fetch_profile.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "suite_support.hpp"
#include "testing/kit.hpp"

namespace fetch_profile_suite {

using namespace futures;  // these files are parts of one suite, nobody else includes them

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

}  // namespace fetch_profile_suite
