// Task 13: many awaiters at once, many times over.
#pragma once

#include "suite_support.hpp"

namespace deadline_suite {

// Awaiters come one after the other, each with an earlier deadline than the one before, so that
// every one of them has something to change.
TEST(Stress, AThousandAwaitsStartNoThread) {
  const std::size_t awaits = workbook::crowd(1000);
  Deaf deaf;
  deaf.seen->begun.wait();
  const auto before = workbook::live_threads();
  std::vector<std::string> results(awaits);
  {
    std::vector<std::jthread> threads;
    const auto last = Clock::now() + 2h;
    for (std::size_t i = 0; i < awaits; ++i) {
      const auto deadline = last - i * 1s;
      threads.emplace_back([&deaf, &result = results[i], deadline] {
        const auto hurried = with_deadline(forever, deadline);
        result = show(deaf.future.await(hurried.context()));
      });
      if (!comes_to(deaf.future, deadline)) {
        ADD_FAILURE() << "await number " << i + 1
                      << " had the earliest deadline of all so far, and "
                      << "deadline() is still not that one";
        break;
      }
    }
    // The awaiters' own, the runtime's timer, and some for whoever has one for all awaits.
    EXPECT_LE(workbook::live_threads(), before + threads.size() + 5)
        << threads.size() << " threads await, and there are "
        << workbook::live_threads() - before - threads.size()
        << " more than without them: one timer can watch any number of deadlines";
    deaf.may_end->open();
  }
  if (testing::Test::HasFailure()) return;
  for (const auto& result : results) ASSERT_EQ(result, "value 7");
}

TEST(Stress, TheEarliestOfManyDeadlinesWins) {
  struct Contest {
    Deaf deaf;
    std::atomic<std::size_t> round{0};
    Clock::time_point start = Clock::now();
  };
  constexpr std::size_t awaiters = 7;
  workbook::stress_on(
      awaiters + 1, workbook::rounds(200), [] { return std::make_unique<Contest>(); },
      [](std::unique_ptr<Contest>& contest, std::size_t thread) {
        auto& future = contest->deaf.future;
        if (thread == awaiters) {
          // The others stay until fn returns: all of them have had their say by then.
          EXPECT_TRUE(comes_to(future, contest->start + 1h))
              << "the earliest of all deadlines is one hour away, the one in force "
              << say(future.deadline(), contest->start)
              << ". Is there a gap between 'is mine earlier?' and 'then it is the deadline'?";
          contest->deaf.may_end->open();
          return;
        }
        const auto hours = 1 + thread;
        const auto mine = with_deadline(forever, contest->start + hours * 1h);
        EXPECT_EQ(show(future.await(mine.context())), "value 7");
      },
      [](std::unique_ptr<Contest>&) {});
}

TEST(Stress, ADeadlineThatMeetsTheEndOfFnLeavesNoTimer) {
  const Census before;
  workbook::stress_on(
      3, workbook::rounds(200),
      [] {
        return std::make_unique<DeadlineFuture<int>>(
            go_with_deadline<int>([](const Context&) -> Result<int> { return 7; }));
      },
      [](std::unique_ptr<DeadlineFuture<int>>& future, std::size_t thread) {
        const auto hour = with_timeout(forever, 1h - static_cast<int>(thread) * 1min);
        EXPECT_EQ(show(future->await(hour.context())), "value 7");
      },
      [](std::unique_ptr<DeadlineFuture<int>>& future) {
        future.reset();
        EXPECT_TRUE(workbook::eventually([] { return detail::Timer::instance().pending() == 0; }))
            << "fn and all awaits have returned, the handle is gone, but " << Census::now()
            << ": an await has set a timer that the end of fn did not see";
      });
  EXPECT_TRUE(before.comes_back_to_it()) << Census::now();
}

TEST(Stress, FnEndsInTheMomentOfTheDeadline) {
  workbook::stress_on(
      4, workbook::rounds(100),
      [] {
        return std::make_unique<DeadlineFuture<int>>(
            go_with_deadline<int>([](const Context& ctx) -> Result<int> {
              ctx.sleep_for(1ms);
              return 7;
            }));
      },
      [](std::unique_ptr<DeadlineFuture<int>>& future, std::size_t thread) {
        const auto hurried = with_timeout(forever, thread == 0 ? 1000us : 990us);
        const auto result = show(future->await(hurried.context()));
        EXPECT_TRUE(result == "value 7" || result == "error deadline exceeded")
            << "an awaiter got " << result;
      },
      [](std::unique_ptr<DeadlineFuture<int>>& future) {
        EXPECT_EQ(show(future->await(forever)), "value 7")
            << "fn returned 7: that is the outcome, whoever was told what before";
      });
}

TEST(Stress, EverybodyWhoAwaitsIsWoken) {
  workbook::stress_on(
      8, workbook::rounds(200), [] { return std::make_unique<Deaf>(); },
      [](std::unique_ptr<Deaf>& deaf, std::size_t thread) {
        if (thread == 0) {
          deaf->may_end->open();
          return;
        }
        const auto hour = with_timeout(forever, 1h);
        EXPECT_EQ(show(deaf->future.await(thread % 2 == 0 ? forever : hour.context())), "value 7");
      },
      [](std::unique_ptr<Deaf>&) {});
}

TEST(Stress, HandlesThatGoAtOnceCancelFnOnce) {
  struct Handles {
    std::shared_ptr<Seen> seen = std::make_shared<Seen>();
    std::vector<std::optional<DeadlineFuture<int>>> handles =
        std::vector<std::optional<DeadlineFuture<int>>>(4, start_sleeper(seen));
  };
  workbook::stress_on(
      4, workbook::rounds(200), [] { return std::make_unique<Handles>(); },
      [](std::unique_ptr<Handles>& state, std::size_t thread) {
        auto mine = state->handles[thread];
        state->handles[thread].reset();
        mine.reset();
      },
      [](std::unique_ptr<Handles>& state) {
        EXPECT_EQ(state->seen->ended_by(), "cancelled")
            << "four threads dropped a handle each, and none of them was the last";
      });
}

TEST(Stress, ADeadlineThatIsReadWhileItTightensOnlyGetsEarlier) {
  struct Contest {
    Sleeper sleeper;
    Clock::time_point start = Clock::now();
    std::atomic<int> have_seen_it_all{0};
  };
  workbook::stress_on(
      4, workbook::rounds(100), [] { return std::make_unique<Contest>(); },
      [](std::unique_ptr<Contest>& contest, std::size_t thread) {
        auto& future = contest->sleeper.future;
        if (thread > 1) {
          const auto hours = static_cast<int>(thread) * 1h;
          const auto mine = with_deadline(forever, contest->start + hours);
          EXPECT_EQ(show(future.await(mine.context())), "error cancelled") << "fn returned that";
          return;
        }
        auto last = future.deadline();
        EXPECT_TRUE(workbook::eventually([&] {
          const auto next = future.deadline();
          EXPECT_TRUE(!last || (next && *next <= *last))
              << "the deadline was " << say(last, contest->start) << " and became "
              << say(next, contest->start);
          last = next;
          return next == contest->start + 2h;
        })) << "somebody awaits with a deadline in two hours";
        if (++contest->have_seen_it_all == 2) future.cancel();
      },
      [](std::unique_ptr<Contest>& contest) {
        EXPECT_EQ(contest->sleeper.seen->ended_by(), "cancelled");
      });
}

}  // namespace deadline_suite
