// Small races, for the schedule explorer to try in every order.
#pragma once

#include "suite_support.hpp"

namespace future_stream_suite {

TEST(Explored, ValuesPassAStage) {
  const FutureStream<int> stream;
  std::jthread producer([&] {
    EXPECT_TRUE(stream.send(forever, 1));
    EXPECT_TRUE(stream.send(forever, 2));
    EXPECT_TRUE(stream.close());
  });
  EXPECT_EQ(all_of(map<int>(forever, stream, same<int>)), "1 2 success");
}

TEST(Explored, TwoProducersWaitForTheSameRoom) {
  const FutureStream<int> stream;
  std::jthread one([&] { EXPECT_TRUE(stream.send(forever, 1)); });
  std::jthread two([&] { EXPECT_TRUE(stream.send(forever, 1)); });
  EXPECT_EQ(all_of(take(forever, stream, 2)), "1 1 success");
}

TEST(Explored, ThereIsRoomForOneOnly) {
  const FutureStream<int> stream;
  std::atomic<int> taken{0};
  {
    std::jthread one([&] { taken += stream.send(ended(), 1) ? 1 : 0; });
    std::jthread two([&] { taken += stream.send(ended(), 1) ? 1 : 0; });
  }
  EXPECT_EQ(taken, 1) << "there was room for one, and two wanted it";
}

TEST(Explored, TheProducerIsNeverFurtherAhead) {
  const FutureStream<int> stream;
  std::atomic<int> taken{0};
  std::jthread producer([&] {
    while (taken < 4 && stream.send(forever, 1)) ++taken;
    stream.close();
  });
  int delivered = 0;
  EXPECT_TRUE(stream.range(forever, [&](int) -> Result<void> {
    ++delivered;
    EXPECT_LE(taken, delivered + 1) << "one is being consumed, and there is room for one more";
    return {};
  }));
  EXPECT_EQ(delivered, 4);
}

TEST(Explored, AConsumerLearnsOfTheEnd) {
  const FutureStream<int> stream;
  std::jthread producer([&] { EXPECT_TRUE(stream.close(failure(Errc::not_found))); });
  EXPECT_EQ(all_of(filter(forever, stream, all<int>)), "error not found");
}

TEST(Explored, TakeMeetsTheProducerAnywhere) {
  {
    const FutureStream<MoveOnly> stream;
    std::jthread producer(
        [&] { EXPECT_EQ(send_until_it_fails(stream).code, make_error_code(Errc::cancelled)); });
    EXPECT_EQ(all_of(take(forever, stream, 1)), "1 success");
  }
  EXPECT_TRUE(all_gone<MoveOnly>()) << MoveOnly::live() << " values are left";
}

TEST(Explored, AFailureMeetsTheProducerAnywhere) {
  {
    const FutureStream<MoveOnly> stream;
    std::jthread producer(
        [&] { EXPECT_EQ(text(send_until_it_fails(stream)), text(failure(Errc::not_found))); });
    auto mapped = map<MoveOnly>(forever, stream, [](MoveOnly v) -> Result<MoveOnly> {
      if (v.value == 2) return std::unexpected(failure(Errc::not_found));
      return v;
    });
    EXPECT_EQ(all_of(mapped), "1 error not found");
  }
  EXPECT_TRUE(all_gone<MoveOnly>()) << MoveOnly::live() << " values are left";
}

TEST(Explored, ACancellationMeetsAPipelineOfFiveStagesAnywhere) {
  auto source = with_cancel(forever);
  const FutureStream<MoveOnly> stream;
  {
    std::jthread producer([&] {
      if (auto sent = stream.send(forever, MoveOnly(1)); !sent) {
        EXPECT_EQ(sent.error().code, make_error_code(Errc::cancelled));
      }
      stream.close();
    });
    std::jthread canceller([&] { source.cancel(); });
    const auto seen = all_of(five_stages(source.context(), stream));
    EXPECT_TRUE(seen == "1 success" || seen == "error cancelled" || seen == "1 error cancelled" ||
                seen == "success")
        << seen;
    if (seen == "success") EXPECT_TRUE(source.context().done()) << "the value was lost";
  }
  EXPECT_TRUE(all_gone<MoveOnly>()) << MoveOnly::live() << " values are left";
}

TEST(Explored, ACancellationOfTheConsumerReachesTheProducer) {
  auto source = with_cancel(forever);
  const FutureStream<int> stream;
  std::jthread producer(
      [&] { EXPECT_EQ(send_until_it_fails(stream).code, make_error_code(Errc::cancelled)); });
  std::jthread canceller([&] { source.cancel(); });
  const auto seen = all_of(stream, source.context());
  EXPECT_TRUE(seen.ends_with("error cancelled")) << seen;
}

TEST(Explored, ACancellationWakesAConsumerThatWaits) {
  auto source = with_cancel(forever);
  const FutureStream<int> stream;
  std::jthread canceller([&] { source.cancel(); });
  auto mapped = map<int>(source.context(), stream, same<int>);
  EXPECT_EQ(all_of(mapped), "error cancelled");
}

TEST(Explored, EveryBlockedProducerHearsOfACancellation) {
  const FutureStream<int> stream;
  std::jthread one(
      [&] { EXPECT_EQ(send_until_it_fails(stream).code, make_error_code(Errc::cancelled)); });
  std::jthread two(
      [&] { EXPECT_EQ(send_until_it_fails(stream).code, make_error_code(Errc::cancelled)); });
  stream.cancel();
}

TEST(Explored, EveryBlockedProducerHearsOfClose) {
  const FutureStream<int> stream;
  EXPECT_TRUE(stream.send(forever, 1));
  std::jthread one([&] { EXPECT_EQ(show(stream.send(forever, 1)), "error closed"); });
  std::jthread two([&] { EXPECT_EQ(show(stream.send(forever, 1)), "error closed"); });
  EXPECT_TRUE(stream.close());
}

TEST(Explored, APipelineIsDroppedWhileItsProducerSends) {
  {
    const FutureStream<MoveOnly> stream;
    std::jthread producer(
        [&] { EXPECT_EQ(send_until_it_fails(stream).code, make_error_code(Errc::cancelled)); });
    {
      const auto dropped = map<MoveOnly>(forever, stream, same<MoveOnly>);
    }
  }
  EXPECT_TRUE(all_gone<MoveOnly>()) << MoveOnly::live() << " values are left";
}

TEST(Explored, OnlyOneOfTwoConsumersGetsTheStream) {
  const FutureStream<int> stream(2);
  EXPECT_TRUE(stream.send(forever, 1));
  EXPECT_TRUE(stream.close());
  std::string other;
  std::string mine;
  {
    std::jthread consumer([&] { other = all_of(stream); });
    mine = all_of(stream);
  }
  if (mine > other) std::swap(mine, other);
  EXPECT_EQ(mine + ", " + other, "1 success, error invalid argument");
}

}  // namespace future_stream_suite
