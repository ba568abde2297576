// Task 3: cancellations that meet results, and many functions at once.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "context_future.hpp"
#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "suite_support.hpp"
#include "testing/kit.hpp"

namespace context_future_suite {

using namespace futures;  // these files are parts of one suite, nobody else includes them
using namespace std::chrono_literals;

TEST(Stress, ACancelNeverLosesAResult) {
  struct Shared {
    CancelSource source = futures::with_cancel(Context::background());
    std::shared_ptr<std::atomic<bool>> begun = std::make_shared<std::atomic<bool>>(false);
    Receiver<Result<int>> future =
        async_with_context<int>(source.context(), [begun = begun](const Context&) {
          *begun = true;
          return 7;
        });
  };
  workbook::stress_on(
      2, workbook::rounds(150), [] { return std::make_unique<Shared>(); },
      [](std::unique_ptr<Shared>& shared, std::size_t thread) {
        if (thread == 0) {
          shared->source.cancel();
          return;
        }
        auto result = futures::await(shared->source.context(), shared->future);
        if (!result) {
          EXPECT_TRUE(fails_with(result, Errc::cancelled));
          result = await_for_ever(shared->future);
        }
        EXPECT_TRUE(delivers_7(result, *shared->begun));
      },
      [](std::unique_ptr<Shared>&) {});
}

TEST(Stress, OfManyAwaitsExactlyOneGetsTheResult) {
  struct Shared {
    Receiver<Result<int>> future =
        async_with_context<int>(Context::background(), [](const Context&) { return 9; });
    std::atomic<int> results{0};
  };
  workbook::stress_on(
      8, workbook::rounds(40), [] { return std::make_unique<Shared>(); },
      [](std::unique_ptr<Shared>& shared, std::size_t) {
        auto mine = shared->future;
        if (const auto result = await_for_ever(mine)) {
          ++shared->results;
          EXPECT_EQ(*result, 9) << "an await made up a value";
        }
      },
      [](std::unique_ptr<Shared>& shared) {
        EXPECT_EQ(shared->results, 1) << "one result; the other seven awaits must return an error";
      });
}

TEST(Stress, EveryAwaitGetsTheResultOfItsOwnFunction) {
  workbook::stress(8, workbook::rounds(40), [](std::size_t thread, std::size_t round) {
    const int number = static_cast<int>(thread * 1000 + round);
    const CancelSource source = futures::with_cancel(Context::background());
    auto future =
        async_with_context<int>(source.context(), [number](const Context&) -> Result<int> {
          if (number % 3 == 0) throw number;
          return number;
        });
    const auto result = futures::await(source.context(), future);
    if (number % 3 == 0) {
      EXPECT_TRUE(fails_with(result, Errc::exception));
    } else {
      EXPECT_EQ(result, number);
    }
  });
}

TEST(Stress, HundredsOfFunctionsRunAtTheSameTime) {
  const std::size_t total = workbook::crowd(300);
  auto meeting = std::make_shared<workbook::Meeting>(total);
  std::vector<Receiver<Result<int>>> futures;
  for (std::size_t i = 0; i < total; ++i) {
    futures.push_back(async_with_context<int>(Context::background(), [meeting](const Context&) {
      meeting->meet();
      return 1;
    }));
  }
  EXPECT_TRUE(meeting->all_met()) << "of " << total << " functions only " << meeting->here()
                                  << " have begun; each waits for all the others";
  for (auto& future : futures) EXPECT_EQ(await_for_ever(future), 1);
}

}  // namespace context_future_suite
