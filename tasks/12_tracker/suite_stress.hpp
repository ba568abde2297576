// Task 12 under load: many threads make, settle and report at once.
#pragma once

#include "suite_support.hpp"

namespace tracker_suite {

TEST(Stress, EverybodyMakesAndSettles) {
  constexpr std::size_t each = 10;
  struct Shared {
    Tracker tracker;
    std::atomic<std::size_t> left{0};
    std::vector<std::vector<Pending<>>> kept{6};
  };
  workbook::stress_on(
      6, workbook::rounds(150), [] { return std::make_unique<Shared>(); },
      [](std::unique_ptr<Shared>& shared, std::size_t thread) {
        for (std::size_t i = 0; i < each; ++i) {
          Pending<> pending(shared->tracker);
          if (i % 2 == 0) {
            shared->kept[thread].push_back(std::move(pending));
          } else {
            pending.resolver.resolve(1);
          }
        }
      },
      [](std::unique_ptr<Shared>& shared) {
        let_time_pass();
        const auto report = shared->tracker.report();
        EXPECT_EQ(report.size(), 6 * each / 2) << "each thread left half of its futures unsettled";
        EXPECT_EQ(ids(report).size(), report.size()) << "two unsettled futures have the same id";
        EXPECT_TRUE(oldest_first(report)) << "somebody stands behind one that is younger";
        shared->kept.clear();  // breaks the promises
        EXPECT_TRUE(shared->tracker.report().empty());
      });
}

TEST(Stress, ReportsWhileFuturesComeAndGo) {
  struct Shared {
    Tracker tracker;
    Pending<> stays{tracker};
    std::atomic<int> busy{4};
    std::atomic<std::size_t> making{1};  // and what stays is the first
    std::atomic<std::size_t> settled{0};
  };
  workbook::stress_on(
      6, workbook::rounds(100),
      [] {
        auto shared = std::make_unique<Shared>();
        let_time_pass();
        return shared;
      },
      [](std::unique_ptr<Shared>& shared, std::size_t thread) {
        auto& tracker = shared->tracker;
        if (thread >= 4) {
          do {
            const std::size_t gone = shared->settled;
            const auto report = tracker.report();
            ASSERT_GE(report.size(), 1u) << "one future was made before, and nobody settles it";
            // A report need not be the picture of one instant.
            ASSERT_LE(report.size(), shared->making - gone)
                << "more than have been unsettled at any time while the report was written";
            ASSERT_TRUE(oldest_first(report));
            ASSERT_EQ(ids(report).size(), report.size());
            ASSERT_EQ(std::string_view(report[0].where.file_name()), Here::current().file_name());
          } while (shared->busy > 0);
          return;
        }
        for (int i = 0; i < 20; ++i) {
          ++shared->making;
          Pending<std::size_t> mine(tracker);
          mine.resolver.resolve(thread);
          ++shared->settled;
        }
        --shared->busy;
      },
      [](std::unique_ptr<Shared>& shared) { EXPECT_EQ(shared->tracker.report().size(), 1u); });
}

TEST(Stress, WhoHasSettledIsNotReportedWhateverTheOthersDo) {
  static constexpr std::array<Here, 4> mine{Here::current(), Here::current(), Here::current(),
                                            Here::current()};
  workbook::stress_on(
      mine.size(), workbook::rounds(200), [] { return std::make_unique<Tracker>(); },
      [](std::unique_ptr<Tracker>& tracker, std::size_t thread) {
        for (int i = 0; i < 10; ++i) {
          Pending<> pending(*tracker, mine[thread]);
          pending.resolver.resolve(1);
          for (const auto& leak : tracker->report()) {
            EXPECT_FALSE(leak.where.line() == mine[thread].line() &&
                         leak.where.column() == mine[thread].column())
                << "whatever the other threads do, my own futures are settled, all of them";
          }
        }
      },
      [](std::unique_ptr<Tracker>& tracker) { EXPECT_TRUE(tracker->report().empty()); });
}

TEST(Stress, FunctionsThatEndAtOnce) {
  struct Shared {
    Tracker tracker;
  };
  workbook::stress_on(
      4, workbook::rounds(60), [] { return std::make_unique<Shared>(); },
      [](std::unique_ptr<Shared>& shared, std::size_t thread) {
        for (int i = 0; i < 4; ++i) {
          const auto future = shared->tracker.go<std::size_t>(
              forever, [thread](const Context&) -> Result<std::size_t> {
                if (thread == 3) throw 42;
                return thread;
              });
          EXPECT_EQ(future.await(forever).value_or(3), thread);
        }
      },
      [](std::unique_ptr<Shared>& shared) {
        EXPECT_TRUE(reports_eventually(shared->tracker, 0))
            << "all functions have ended, " << shared->tracker.report().size()
            << " are still reported";
      });
}

TEST(Stress, TheTrackerGoesWhileItsFuturesSettle) {
  struct Shared {
    std::unique_ptr<Tracker> tracker = std::make_unique<Tracker>();
    std::vector<Pending<>> pending;
  };
  workbook::stress_on(
      4, workbook::rounds(200),
      [] {
        auto shared = std::make_unique<Shared>();
        for (int i = 0; i < 3; ++i) shared->pending.emplace_back(*shared->tracker);
        return shared;
      },
      [](std::unique_ptr<Shared>& shared, std::size_t thread) {
        if (thread == 3) {
          shared->tracker.reset();
        } else {
          EXPECT_TRUE(shared->pending[thread].resolver.resolve(1));
        }
      },
      [](std::unique_ptr<Shared>&) {});
}

}  // namespace tracker_suite
