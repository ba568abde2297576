#include "runtime/channel.hpp"

#include <atomic>
#include <gtest/gtest.h>
#include <memory>
#include <numeric>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "threads.hpp"

namespace futures {
namespace {

using namespace std::chrono_literals;
using test::eventually;

TEST(Channel, KeepsTheOrder) {
  auto [sender, receiver] = make_channel<int>(3);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(sender.send(i));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(receiver.receive(), i);
}

TEST(Channel, TrySendFailsWhenFull) {
  auto [sender, receiver] = make_channel<int>(1);
  EXPECT_TRUE(sender.try_send(1));
  EXPECT_FALSE(sender.try_send(2));
  EXPECT_EQ(receiver.try_receive(), 1);
  EXPECT_EQ(receiver.try_receive(), std::nullopt);
}

TEST(Channel, CloseLetsTheRestBeReceived) {
  auto [sender, receiver] = make_channel<int>(2);
  sender.send(1);
  sender.close();
  sender.close();
  EXPECT_TRUE(receiver.closed());
  EXPECT_FALSE(sender.send(2));
  EXPECT_FALSE(sender.try_send(2));
  EXPECT_EQ(receiver.receive(), 1);
  EXPECT_EQ(receiver.receive(), std::nullopt);
  EXPECT_TRUE(receiver.receive(Context::background()).error().code == Errc::closed);
}

TEST(Channel, DroppingTheSendersClosesNothing) {
  auto receiver = make_channel<int>(1).second;
  EXPECT_FALSE(receiver.closed());
  EXPECT_EQ(receiver.receive_for(1ms), std::nullopt);
}

TEST(Channel, CarriesWhatCanOnlyBeMoved) {
  auto [sender, receiver] = make_channel<std::unique_ptr<int>>(1);
  sender.send(std::make_unique<int>(7));
  EXPECT_EQ(**receiver.receive(), 7);
}

TEST(Channel, ARendezvousNeedsAReceiver) {
  auto [sender, receiver] = make_channel<int>(0);
  EXPECT_FALSE(sender.try_send(1));
  std::optional<int> got;
  std::jthread reader([&got, r = receiver]() mutable { got = r.receive(); });
  EXPECT_TRUE(sender.send(2));
  reader.join();
  EXPECT_EQ(got, 2);
  EXPECT_FALSE(sender.try_send(3));
}

TEST(Channel, ARendezvousSendWaitsForTheReceiver) {
  auto [sender, receiver] = make_channel<int>(0);
  auto source = with_timeout(Context::background(), 20ms);
  EXPECT_FALSE(sender.send(source.context(), 1));
  EXPECT_EQ(receiver.try_receive(), std::nullopt);
}

TEST(Channel, CloseWakesBlockedReceivers) {
  auto [sender, receiver] = make_channel<int>(0);
  std::atomic<int> woken{0};
  std::vector<std::jthread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&woken, r = receiver]() mutable {
      if (!r.receive()) ++woken;
    });
  }
  sender.close();
  readers.clear();
  EXPECT_EQ(woken, 4);
}

TEST(Channel, CloseWakesBlockedSendersAndTheirValuesAreGone) {
  auto [sender, receiver] = make_channel<int>(1);
  sender.send(0);
  std::atomic<int> refused{0};
  std::vector<std::jthread> writers;
  for (int i = 0; i < 4; ++i) {
    writers.emplace_back([&refused, s = sender]() mutable {
      if (!s.send(1)) ++refused;
    });
  }
  sender.close();
  writers.clear();
  EXPECT_EQ(refused, 4);
  EXPECT_EQ(receiver.receive(), 0);
  EXPECT_EQ(receiver.receive(), std::nullopt);
}

TEST(Channel, AContextEndsAWaitingReceive) {
  auto receiver = make_channel<int>(0).second;
  auto source = with_cancel(Context::background());
  std::jthread canceller([&] { source.cancel(Error{Errc::unavailable, "x"}); });
  EXPECT_TRUE(receiver.receive(source.context()).error().code == Errc::unavailable);
}

TEST(Channel, AValueBeatsACancellation) {
  auto [sender, receiver] = make_channel<int>(1);
  auto source = with_cancel(Context::background());
  source.cancel();
  EXPECT_TRUE(sender.send(source.context(), 5));  // and so does room
  EXPECT_EQ(receiver.receive(source.context()), 5);
  EXPECT_TRUE(receiver.receive(source.context()).error().code == Errc::cancelled);
}

TEST(Channel, AnEndlessTimeLimitWaits) {
  auto [sender, receiver] = make_channel<int>(0);
  std::jthread writer([s = sender]() mutable { s.send(1); });
  EXPECT_EQ(receiver.receive_for(std::chrono::nanoseconds::max()), 1);
}

class ChannelOfCapacity : public testing::TestWithParam<std::size_t> {};

TEST_P(ChannelOfCapacity, LosesAndDoublesNothingBetweenManyThreads) {
  constexpr int writers = 4;
  constexpr int values = 500;
  auto [sender, receiver] = make_channel<int>(GetParam());
  std::atomic<long> sum{0};
  std::atomic<int> count{0};
  std::vector<std::jthread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&, i, r = receiver]() mutable {
      while (true) {
        // Each reader waits in its own way.
        std::optional<int> value;
        if (i == 0) {
          value = r.receive();
        } else if (i == 1) {
          value = r.receive_for(1ms);
        } else if (auto result = r.receive(Context::background())) {
          value = *result;
        }
        if (value) {
          sum += *value;
          ++count;
        } else if (r.closed()) {
          return;
        }
      }
    });
  }
  {
    std::vector<std::jthread> threads;
    for (int w = 0; w < writers; ++w) {
      threads.emplace_back([s = sender, w]() mutable {
        for (int i = 0; i < values; ++i) {
          if (!s.send(w * values + i)) ADD_FAILURE() << "an open channel refused a value";
        }
      });
    }
  }
  ASSERT_TRUE(eventually([&] { return count == writers * values; })) << count;
  sender.close();
  readers.clear();
  const long n = writers * values;
  EXPECT_EQ(sum, n * (n - 1) / 2);
}

TEST_P(ChannelOfCapacity, ASendIsTakenExactlyWhenItSaysSo) {
  for (int round = 0; round < 200; ++round) {
    auto [sender, receiver] = make_channel<int>(GetParam());
    auto source = with_cancel(Context::background());
    std::atomic<int> sent{0};
    std::atomic<int> received{0};
    {
      std::jthread reader([&, r = receiver]() mutable {
        if (r.receive(source.context())) ++received;
      });
      std::jthread writer([&, s = sender]() mutable {
        if (s.send(source.context(), 1)) ++sent;
      });
      std::jthread canceller([&] { source.cancel(); });
    }
    while (receiver.try_receive()) ++received;
    ASSERT_EQ(sent, received) << "round " << round;
  }
}

INSTANTIATE_TEST_SUITE_P(Channel, ChannelOfCapacity, testing::Values(0, 1, 7));

}  // namespace
}  // namespace futures
