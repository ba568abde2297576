// Many producers, and ends that come at any time.
#pragma once

#include "suite_support.hpp"

namespace future_stream_suite {

template <class T>
struct Flow {
  CancelSource source = with_cancel(forever);
  FutureStream<T> stream{2};
  std::atomic<int> producing{3};
  std::vector<int> out;  // touched by the consumer alone, then by the check
};

TEST(Stress, EveryValueArrivesOnce) {
  constexpr int each = 50;
  workbook::stress_on(
      4, workbook::rounds(40), [] { return std::make_unique<Flow<int>>(); },
      [](std::unique_ptr<Flow<int>>& flow, std::size_t thread) {
        if (thread < 3) {
          for (int i = 0; i < each; ++i) {
            EXPECT_TRUE(flow->stream.send(forever, static_cast<int>(thread) * each + i));
          }
          if (--flow->producing == 0) EXPECT_TRUE(flow->stream.close());
          return;
        }
        EXPECT_TRUE(five_stages(forever, flow->stream).range(forever, [&](int v) -> Result<void> {
          flow->out.push_back(v);
          return {};
        }));
      },
      [](std::unique_ptr<Flow<int>>& flow) {
        std::ranges::sort(flow->out);
        ASSERT_EQ(flow->out.size(), 3u * each);
        for (int i = 0; i < 3 * each; ++i) {
          ASSERT_EQ(flow->out[static_cast<std::size_t>(i)], i);
        }
      });
}

TEST(Stress, ACancellationAtAnyTimeLeavesNothing) {
  workbook::stress_on(
      3, workbook::rounds(100), [] { return std::make_unique<Flow<MoveOnly>>(); },
      [](std::unique_ptr<Flow<MoveOnly>>& flow, std::size_t thread) {
        if (thread == 0) {
          EXPECT_EQ(send_until_it_fails(flow->stream).code, make_error_code(Errc::cancelled));
        } else if (thread == 1) {
          int last = 0;
          const auto result = five_stages(flow->source.context(), flow->stream)
                                  .range(forever, [&](MoveOnly value) -> Result<void> {
                                    EXPECT_EQ(value.value, last + 1);
                                    last = value.value;
                                    return {};
                                  });
          EXPECT_EQ(show(result), "error cancelled") << "after value " << last;
        } else {
          std::this_thread::yield();
          flow->source.cancel();
        }
      },
      [](std::unique_ptr<Flow<MoveOnly>>&) { EXPECT_TRUE(all_gone<MoveOnly>()); });
}

}  // namespace future_stream_suite
