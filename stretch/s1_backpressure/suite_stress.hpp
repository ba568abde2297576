// Many producers, many consumers, and ends that come at any time.
#pragma once

#include "suite_support.hpp"

namespace backpressure_suite {

// A chain of two stages, and what came out of it.
template <class T>
struct Flow {
  explicit Flow(std::size_t capacity) {
    auto [in, head] = make_chain<T>(source.context(), capacity);
    auto first = then<T>(std::move(head), capacity, same<T>);
    end.emplace(then<T>(std::move(first), capacity, same<T>));
    intake.emplace(std::move(in));
  }

  CancelSource source = with_cancel(forever);
  std::optional<Intake<T>> intake;
  std::optional<Chain<T>> end;
  std::mutex mutex;
  std::vector<int> out;  // guarded by mutex
  std::atomic<int> producing{2};
};

TEST(Stress, EveryValueArrivesOnce) {
  constexpr int each = 50;
  workbook::stress_on(
      4, workbook::rounds(40), [] { return std::make_unique<Flow<int>>(2); },
      [](std::unique_ptr<Flow<int>>& flow, std::size_t thread) {
        if (thread < 2) {
          for (int i = 0; i < each; ++i) {
            EXPECT_TRUE(flow->intake->push(forever, static_cast<int>(thread) * each + i));
          }
          if (--flow->producing == 0) flow->intake->close();
          return;
        }
        while (auto value = flow->end->pull(forever)) {
          const std::lock_guard lock(flow->mutex);
          flow->out.push_back(*value);
        }
      },
      [](std::unique_ptr<Flow<int>>& flow) {
        std::ranges::sort(flow->out);
        ASSERT_EQ(flow->out.size(), 2u * each);
        for (int i = 0; i < 2 * each; ++i) {
          ASSERT_EQ(flow->out[static_cast<std::size_t>(i)], i);
        }
      });
}

TEST(Stress, ACancellationAtAnyTimeLeavesNothing) {
  workbook::stress_on(
      3, workbook::rounds(100), [] { return std::make_unique<Flow<MoveOnly>>(1); },
      [](std::unique_ptr<Flow<MoveOnly>>& flow, std::size_t thread) {
        if (thread == 0) {
          EXPECT_EQ(push_until_it_fails(*flow->intake).code, Errc::cancelled);
        } else if (thread == 1) {
          int last = 0;
          while (auto value = flow->end->pull(forever)) {
            EXPECT_EQ(value->value, last + 1) << "out of order, or one is missing";
            last = value->value;
          }
        } else {
          std::this_thread::yield();
          flow->source.cancel();
        }
      },
      [](std::unique_ptr<Flow<MoveOnly>>&) { EXPECT_TRUE(all_gone<MoveOnly>()); });
}

}  // namespace backpressure_suite
