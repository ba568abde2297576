// Task 5 under load: many threads on both ends of one future.
#pragma once

#include "suite_support.hpp"

namespace future_suite {

// One future, and what the threads of a round saw of it.
struct Contest {
  Contest() : Contest(make_future<int>()) {}
  explicit Contest(std::pair<Future<int>, Resolver<int>> ends)
      : future(std::move(ends.first)), resolver(std::move(ends.second)) {}

  Future<int> future;
  Resolver<int> resolver;
  std::atomic<int> wins{0};
  std::atomic<int> winner{0};
  std::atomic<int> registered{0};
  std::atomic<int> called{0};
};

inline auto new_contest() {
  return [] { return std::make_unique<Contest>(); };
}

TEST(Stress, ManySettlersMakeOneTransition) {
  workbook::stress_on(
      workbook::crowd(1000), 2, new_contest(),
      [](std::unique_ptr<Contest>& contest, std::size_t thread) {
        const int mine = static_cast<int>(thread) + 1;
        const bool won =
            thread % 2 == 0
                ? contest->resolver.resolve(mine)
                : contest->resolver.reject(Error{Errc::unavailable, std::to_string(mine)});
        if (!won) return;
        ++contest->wins;
        contest->winner = mine;
      },
      [](std::unique_ptr<Contest>& contest) {
        EXPECT_EQ(contest->wins, 1) << "resolve() and reject() return true to one caller alone";
        const auto result = contest->future.await(forever);
        EXPECT_EQ(result ? *result : std::stoi(result.error().message), contest->winner)
            << "one caller was told that it settled the future, another one's result is there";
      });
}

TEST(Stress, TwoSettlersMakeOneTransition) {
  workbook::stress_on(
      2, workbook::rounds(1000), new_contest(),
      [](std::unique_ptr<Contest>& contest, std::size_t thread) {
        if (contest->resolver.resolve(static_cast<int>(thread))) ++contest->wins;
      },
      [](std::unique_ptr<Contest>& contest) {
        EXPECT_EQ(contest->wins, 1);
        EXPECT_TRUE(contest->future.settled());
      });
}

TEST(Stress, EverybodyWhoAwaitsIsWoken) {
  workbook::stress_on(
      8, workbook::rounds(200), new_contest(),
      [](std::unique_ptr<Contest>& contest, std::size_t thread) {
        if (thread == 0) {
          contest->resolver.resolve(7);
        } else {
          EXPECT_EQ(show(contest->future.await(forever)), "value 7");
        }
      },
      [](std::unique_ptr<Contest>&) {});
}

TEST(Stress, CallbacksRegisteredWhileItSettlesRunExactlyOnce) {
  workbook::stress_on(
      6, workbook::rounds(300), new_contest(),
      [](std::unique_ptr<Contest>& contest, std::size_t thread) {
        if (thread == 0) {
          while (contest->registered < 15) std::this_thread::yield();  // into the thick of it
          contest->resolver.resolve(1);
          return;
        }
        for (int i = 0; i < 10; ++i) {
          contest->future.on_settled([&called = contest->called](const Result<int>& result) {
            called += result.value_or(1000);
          });
          ++contest->registered;
        }
      },
      [](std::unique_ptr<Contest>& contest) {
        EXPECT_EQ(contest->called, contest->registered)
            << "fewer: a callback came between 'is it settled?' and 'put it on the list'; more: "
               "one "
               "ran twice";
      });
}

TEST(Stress, WhatSaysThatItIsSettledHasTheResult) {
  auto source = with_cancel(forever);
  source.cancel();  // so that await() returns what is there at this moment
  workbook::stress_on(
      3, workbook::rounds(400), new_contest(),
      [&](std::unique_ptr<Contest>& contest, std::size_t thread) {
        if (thread == 0) {
          contest->resolver.resolve(7);
          return;
        }
        while (!contest->future.settled()) std::this_thread::yield();
        EXPECT_EQ(show(contest->future.await(source.context())), "value 7")
            << "settled() was true: the result must have been there already";
      },
      [](std::unique_ptr<Contest>&) {});
}

TEST(Stress, ACancellationRacesTheValue) {
  workbook::stress_on(
      4, workbook::rounds(200), new_contest(),
      [](std::unique_ptr<Contest>& contest, std::size_t thread) {
        if (thread == 0) contest->resolver.resolve(7);
        if (thread == 1) contest->future.cancel();
        if (thread < 2) return;
        auto source = with_cancel(forever);
        const std::jthread canceller([&] { source.cancel(); });
        const auto seen = show(contest->future.await(source.context()));
        EXPECT_TRUE(seen == "value 7" || seen == "error cancelled") << seen;
      },
      [](std::unique_ptr<Contest>& contest) {
        EXPECT_EQ(show(contest->future.await(forever)), "value 7")
            << "cancel() asks the producer; it must not get in the way of its value";
      });
}

TEST(Stress, ManyProducersDeliverEachTheirOwn) {
  workbook::stress(4, workbook::rounds(40), [](std::size_t thread, std::size_t round) {
    const int mine = static_cast<int>(thread * 1000 + round);
    auto future = go<int>(forever, [mine](const Context&) -> Result<int> { return mine; });
    auto [relayed, resolver] = make_future<int>();
    future.on_settled([writer = std::make_shared<Resolver<int>>(std::move(resolver))](
                          const Result<int>& result) { writer->resolve(*result); });
    EXPECT_EQ(show(relayed.await(forever)), "value " + std::to_string(mine));
  });
}

}  // namespace future_suite
