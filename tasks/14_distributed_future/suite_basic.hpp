// What a caller sees when all goes well, or fails in the simplest way.
#pragma once

#include <atomic>
#include <concepts>
#include <stdexcept>
#include <string>
#include <utility>

#include "suite_support.hpp"

namespace distributed_suite {
namespace {

// The types of the contract: a value of any other could compare equal to whatever is expected.
static_assert(
    requires(DistributedFuture& future, const Context& context, Compute& compute) {
      { future.get(context, "key", std::move(compute)) } -> std::same_as<Result<std::string>>;
    }, "get() returns a Result<std::string>");

TEST(Basic, TheFirstCallerComputesAndTheNextOneFindsTheValue) {
  const auto key = fresh_key();
  std::atomic<int> runs{0};
  auto one = make(shared_server());
  auto another = make(shared_server());  // as in another process
  EXPECT_EQ(told(one.get(forever, key, returning("first", &runs))), "the value \"first\"");
  EXPECT_EQ(told(one.get(forever, key, returning("second", &runs))), "the value \"first\"");
  EXPECT_EQ(told(another.get(forever, key, returning("third", &runs))), "the value \"first\"");
  EXPECT_EQ(runs, 1) << "a value that is kept must not be computed again";
}

TEST(Basic, AValueIsKeptAsItIsForItsTimeAndTheLockIsGone) {
  const auto key = fresh_key();
  const std::string value = "plain\0text\r\n"s;
  auto future = make(shared_server(), {.lock = 10min, .value = 90s});
  ASSERT_EQ(told(future.get(forever, key, returning(value))), told(value));
  Other other;
  EXPECT_EQ(other.cached(key), value) << "fut-cache:KEY holds the value, byte for byte";
  const auto left = other.ends_in("fut-cache:" + key);
  EXPECT_GT(left, 0) << "(-1: it is kept for ever; -2: it is not there)";
  EXPECT_LE(left, 90'000) << "value_ttl was 90 seconds; this many milliseconds are left";
  EXPECT_TRUE(eventually([&] { return !other.lock_of(key); }))
      << "the value is there, get() has returned, and fut-lock:KEY is still taken";
}

TEST(Basic, AfterItsTimeAValueIsComputedAgain) {
  const auto key = fresh_key();
  std::atomic<int> runs{0};
  auto future = make(shared_server(), {.value = 20ms});
  ASSERT_TRUE(future.get(forever, key, returning("old", &runs)));
  Other other;
  ASSERT_TRUE(eventually([&] { return !other.cached(key); })) << "value_ttl was 20 milliseconds";
  EXPECT_EQ(told(future.get(forever, key, returning("new", &runs))), "the value \"new\"");
  EXPECT_EQ(runs, 2);
}

TEST(Basic, WhileItIsComputedTheKeyIsLockedForAWhile) {
  const auto key = fresh_key();
  auto future = make(shared_server(), {.lock = 90s});
  Other other;
  const auto result = future.get(forever, key, [&](const Context&) -> Result<std::string> {
    const auto lock = other.lock_of(key);
    EXPECT_TRUE(lock) << "nobody holds fut-lock:KEY while the value is computed";
    EXPECT_TRUE(!lock || !lock->empty()) << "a lock without a token belongs to everybody";
    const auto left = other.ends_in("fut-lock:" + key);
    EXPECT_GT(left, 0) << "(-1: the lock never ends, -2: there is none) if this process died now, "
                          "nobody could compute this value again";
    EXPECT_LE(left, 90'000) << "lock_ttl was 90 seconds; this many milliseconds are left";
    EXPECT_FALSE(other.cached(key));
    return "value";
  });
  EXPECT_EQ(told(result), "the value \"value\"");
}

TEST(Basic, AFailureIsReturned) {
  const auto key = fresh_key();
  auto future = make(shared_server());
  std::atomic<int> runs{0};
  const auto failed = future.get(forever, key, failing(&runs));
  ASSERT_FALSE(failed) << "compute failed, and get() returned " << told(failed);
  EXPECT_EQ(failed.error(), out_of_order) << told(failed);
  EXPECT_EQ(runs, 1) << "runs of compute in one call of get()";
}

TEST(Basic, AWaiterGetsWhatTheWinnerComputes) {
  const auto key = fresh_key();
  auto one = make(shared_server());
  auto another = make(shared_server());
  Slow slow;
  std::atomic<int> runs{0};
  Caller winner(one, key, slow.compute("of the winner"));
  ASSERT_TRUE(slow.begun.wait_for());
  Caller waiter(another, key, returning("of the waiter", &runs));
  EXPECT_FALSE(workbook::eventually([&] { return waiter.has_returned(); }, 20ms))
      << "nothing has been computed yet, and a waiter has returned " << told(waiter.result());
  slow.go_on.open();
  EXPECT_TRUE(waiter.returns()) << "the value is there, and nobody has told the waiter";
  EXPECT_EQ(told(winner.result()), "the value \"of the winner\"");
  EXPECT_EQ(told(waiter.result()), "the value \"of the winner\"");
  EXPECT_EQ(runs, 0) << "computed a second time while the first one was at it";
}

TEST(Basic, TheContextEndsTheWait) {
  const auto key = fresh_key();
  Other other;
  other.take_lock(key);
  auto future = make(shared_server());
  std::atomic<int> runs{0};
  Caller caller(future, key, returning("mine", &runs));
  caller.cancel();
  EXPECT_TRUE(caller.returns());
  ASSERT_FALSE(caller.result()) << told(caller.result());
  EXPECT_EQ(caller.result().error().code, Errc::cancelled) << told(caller.result());

  auto source = with_cancel(forever);
  source.cancel(Error{Errc::closed, "the shop is closed"});
  const auto closed = future.get(source.context(), key, returning("mine", &runs));
  ASSERT_FALSE(closed) << told(closed);
  EXPECT_EQ(closed.error().code, Errc::closed)
      << "the context has a reason of its own; get() returned " << told(closed);

  const auto shortly = with_timeout(forever, 30ms);
  const auto late = future.get(shortly.context(), key, returning("mine", &runs));
  ASSERT_FALSE(late) << told(late);
  EXPECT_EQ(late.error().code, Errc::deadline_exceeded) << told(late);
  EXPECT_EQ(runs, 0) << "somebody else holds the lock";
}

TEST(Basic, NoServerIsAnErrorThatSaysSo) {
  std::atomic<int> runs{0};
  for (const auto& nowhere : {RedisEndpoint{.path = "/nowhere/redis.sock"},
                              RedisEndpoint{.path = "", .host = "127.0.0.1", .port = 1}}) {
    const auto limit = with_timeout(forever, 200ms);
    auto future = make(nowhere, {.lock = 1s, .poll = 10ms});
    const auto result = future.get(limit.context(), fresh_key(), returning("alone", &runs));
    ASSERT_FALSE(result) << "there is no server, and get() returned " << told(result);
    EXPECT_TRUE(result.error().code == Errc::unavailable ||
                result.error().code == Errc::deadline_exceeded)
        << told(result);
    EXPECT_FALSE(result.error().message.empty());
  }
  EXPECT_EQ(runs, 0) << "without a server nobody knows who else is computing";
}

}  // namespace
}  // namespace distributed_suite
