// What a tracker has to get right about many threads: who is on the list, under whose name, and
// that nobody stays there once settling has returned.
#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <set>
#include <source_location>
#include <utility>

#include "future.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "testing/kit.hpp"
#include "tracker.hpp"

namespace {

using namespace std::chrono_literals;
using futures::Context;
using futures::Future;
using futures::Resolver;
using futures::Result;
using futures::Tracker;
using workbook::forever;

constexpr std::size_t threads = 4;

TEST(MyTest, EveryEndIsAnEndAndEveryFutureHasAnEntryOfItsOwn) {
  struct State {
    Tracker tracker;
    std::array<std::optional<std::pair<Future<int>, Resolver<int>>>, threads> left_over;
  };
  workbook::stress_on(
      threads, workbook::rounds(200), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t thread) {
        Tracker& tracker = state->tracker;
        state->left_over[thread] = tracker.make<int>();
        for (int i = 0; i < 6; ++i) {
          auto ends = std::make_unique<std::pair<Future<int>, Resolver<int>>>(tracker.make<int>());
          if (i % 3 == 0) ends->second.resolve(i);
          if (i % 3 == 1) ends->second.reject({futures::Errc::not_found, ""});
          ends.reset();
          // Mine are settled but for one; each of the others has two at the most.
          EXPECT_LE(tracker.report().size(), 1 + 2 * (threads - 1))
              << "settled, and still reported";
        }
      },
      [](auto& state) {
        const auto report = state->tracker.report();
        EXPECT_EQ(report.size(), threads) << "each thread has left one unsettled";
        std::set<std::uint64_t> ids;
        for (std::size_t i = 0; i < report.size(); ++i) {
          ids.insert(report[i].id);
          if (i > 0) EXPECT_GE(report[i - 1].age, report[i].age) << "not oldest first";
        }
        EXPECT_EQ(ids.size(), report.size()) << "two futures, one id";
        EXPECT_TRUE(state->tracker.report(1h).empty()) << "nobody is that old";
        state->left_over[0].reset();
        EXPECT_EQ(state->tracker.report().size(), threads - 1);
      });
}

TEST(MyTest, WhatIsOverBeforeGoReturnsIsNotKept) {
  workbook::stress_on(
      4, workbook::rounds(60), [] { return std::make_unique<Tracker>(); },
      [](auto& tracker, std::size_t) {
        for (int i = 0; i < 5; ++i) {
          tracker->template go<int>(forever, [](const Context&) -> Result<int> { return 1; });
        }
      },
      [](auto& tracker) {
        EXPECT_TRUE(workbook::eventually([&] { return tracker->report().empty(); }))
            << "all functions have ended, and " << tracker->report().size() << " are reported";
      });
}

TEST(MyTest, GoBlamesItsCaller) {
  workbook::stress(2, workbook::rounds(50), [](std::size_t, std::size_t) {
    Tracker tracker;
    workbook::Gate gate;
    const auto wait = [&gate](const Context&) -> Result<int> {
      gate.wait();
      return 1;
    };
    const auto before = std::source_location::current();
    const auto future = tracker.go<int>(forever, wait);
    const auto report = tracker.report();
    gate.open();
    (void)future.await(forever);
    ASSERT_EQ(report.size(), 1u);
    EXPECT_EQ(report[0].where.line(), before.line() + 1);
  });
}

TEST(MyTest, TheTrackerGoesFirst) {
  struct State {
    std::unique_ptr<Tracker> tracker = std::make_unique<Tracker>();
    std::pair<Future<int>, Resolver<int>> ends = tracker->make<int>();
  };
  workbook::stress_on(
      2, workbook::rounds(300), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t thread) {
        if (thread == 0) {
          state->tracker.reset();
        } else {
          EXPECT_TRUE(state->ends.second.resolve(7));
        }
      },
      [](auto& state) { EXPECT_EQ(state->ends.first.await(forever), 7); });
}

}  // namespace
