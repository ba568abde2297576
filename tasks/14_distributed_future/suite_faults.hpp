// A server that is slow, full, gone, or back again without its memory; connections that are cut.
// Each test has a server of its own. What is asked of a right version: an error that says
// something, or recovery; no wrong value, and nobody who waits for ever.
#pragma once

#include <atomic>
#include <string>

#include "suite_support.hpp"

namespace distributed_suite {
namespace {

using Server = workbook::RedisServer;

void expect_value_or_clear_error(Caller& caller, const std::string& value,
                                 const std::string& situation) {
  EXPECT_TRUE(caller.returns()) << situation << ": get() did not notice until its context ended";
  const auto& result = caller.result();
  if (result) {
    EXPECT_TRUE(*result == value) << situation << ": a wrong value: " << told(result);
  } else {
    EXPECT_FALSE(result.error().message.empty()) << situation;
  }
}

// Whether the server is in order again for those who come later.
void expect_recovery(DistributedFuture& future, const std::string& situation) {
  const auto key = fresh_key("recovery");
  Result<std::string> last;
  EXPECT_TRUE(eventually([&] {
    const auto limit = with_timeout(forever, 2s);
    last = future.get(limit.context(), key, returning("fine again"));
    return last.has_value();
  })) << situation
      << ", and the same DistributedFuture still says: " << told(last);
  if (last) EXPECT_EQ(*last, "fine again");
}

TEST(Lifecycle, AKilledSubscriptionIsNoReasonToMissTheNews) {
  const Server server;
  Other other(server.endpoint());
  for (int round = 0; round < 3; ++round) {
    const auto key = fresh_key();
    auto one = make(server.endpoint());
    auto another = make(server.endpoint(), {.poll = 50ms});  // to poll is a way to recover
    Slow slow;
    Caller winner(one, key, slow.compute("value"));
    ASSERT_TRUE(slow.begun.wait_for());
    Caller waiter(another, key, returning("of the waiter"));
    const auto listening = [&] { return other.is_listened_to(key); };
    workbook::eventually(listening, 300ms);  // it may have no need to
    for (int i = 0; i <= round; ++i) {
      other.tell({"CLIENT", "KILL", "TYPE", "pubsub"});
      if (i < round) workbook::eventually(listening, 100ms);
    }
    slow.go_on.open();
    expect_value_or_clear_error(waiter, "value", "the waiter's subscription was killed");
    EXPECT_EQ(told(winner.result()), "the value \"value\"");
  }
}

TEST(Lifecycle, AWinnerWhoseConnectionIsKilledWhileItComputesIsNoLoss) {
  const Server server;
  Other other(server.endpoint());
  const auto key = fresh_key();
  auto one = make(server.endpoint(), {.lock = 50ms, .poll = 10ms});
  auto another = make(server.endpoint(), {.poll = 10ms});
  Slow slow;
  Caller winner(one, key, slow.compute("value"));
  ASSERT_TRUE(slow.begun.wait_for());
  other.tell({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  slow.go_on.open();
  expect_value_or_clear_error(winner, "value", "the winner's connection was killed");
  Caller next(another, key, returning("value"));
  EXPECT_TRUE(next.returns());
  EXPECT_EQ(told(next.result()), "the value \"value\"");
}

TEST(Lifecycle, APausedServerIsWaitedForOrLeft) {
  const Server server;
  Other other(server.endpoint());
  auto future = make(server.endpoint(), {.poll = 10ms});
  other.tell({"CLIENT", "PAUSE", "150", "ALL"});
  const auto shortly = with_timeout(forever, 20ms);
  const auto left = future.get(shortly.context(), fresh_key(), returning("value"));
  if (!left) EXPECT_FALSE(left.error().message.empty());
  Caller patient(future, fresh_key(), returning("value"));
  expect_value_or_clear_error(patient, "value", "the server paused for a moment");
  expect_recovery(future, "the server has gone on");
}

// Who tells a lost connection by its code alone goes on trying.
TEST(Lifecycle, AReasonMayHaveTheCodeOfALostConnection) {
  const auto key = fresh_key();
  Other other;
  other.take_lock(key);
  auto future = make(shared_server());
  auto source = with_cancel(forever);
  source.cancel(Error{Errc::unavailable, "we are closing"});
  std::atomic<int> runs{0};
  const auto result = future.get(source.context(), key, returning("mine", &runs));
  ASSERT_FALSE(result) << told(result);
  EXPECT_EQ(result.error(), (Error{Errc::unavailable, "we are closing"})) << told(result);
  EXPECT_EQ(runs, 0) << "somebody else holds the lock";
}

TEST(Lifecycle, AWaiterIsToldWhyItsContextEnded) {
  const Error why{Errc::closed, "the shop is closed"};
  const auto key = fresh_key();
  Other other;
  other.take_lock(key);
  auto future = make(shared_server());
  Caller waiter(future, key, returning("mine"));
  workbook::eventually([&] { return waiter.has_returned(); }, 50ms);  // lets it go to sleep
  waiter.cancel(why);
  EXPECT_TRUE(waiter.returns());
  const auto& result = waiter.result();
  ASSERT_FALSE(result) << told(result);
  EXPECT_EQ(result.error(), why) << told(result);
}

TEST(Lifecycle, AServerThatHangsIsLeftWhenTheContextEnds) {
  const Server server;
  auto future = make(server.endpoint(), {.lock = 300ms, .poll = 10ms});
  const auto key = fresh_key();
  Slow slow;
  Caller winner(future, key, slow.compute("value"));
  ASSERT_TRUE(slow.begun.wait_for());
  Caller waiter(future, key, returning("of the waiter"));
  server.freeze();
  {
    Caller newcomer(future, fresh_key(), returning("value"));
    newcomer.cancel();
    waiter.cancel();
    EXPECT_TRUE(newcomer.returns()) << "the context ended while the server did not answer";
    EXPECT_TRUE(waiter.returns()) << "the context ended while the server did not answer";
    EXPECT_FALSE(newcomer.result()) << told(newcomer.result());
  }
  winner.cancel();
  slow.go_on.open();
  EXPECT_TRUE(winner.returns())
      << "the context has ended, the computation too, and get() waits for a server that hangs";
  const auto& result = winner.result();
  EXPECT_TRUE(!result || result == "value") << told(result);
  server.thaw();
  expect_recovery(future, "the server answers again");
}

TEST(Lifecycle, AServerThatDiesUnderAWaiterIsNoticed) {
  for (const bool restarts : {false, true}) {
    Server server;
    Other(server.endpoint()).take_lock("key");
    auto future = make(server.endpoint(), {.poll = 10ms});
    Caller waiter(future, "key", returning("value"));
    workbook::eventually([&] { return waiter.has_returned(); }, 50ms);  // lets it go to sleep
    server.kill();
    if (restarts) {
      server.start();
      expect_value_or_clear_error(waiter, "value", "the server was started anew");
    } else {
      // Whoever goes on trying until the context ends is told so, by the context.
      workbook::eventually([&] { return waiter.has_returned(); }, 200ms);
      waiter.cancel();
      EXPECT_TRUE(waiter.returns()) << "the server is gone: get() does not return";
      EXPECT_FALSE(waiter.result()) << told(waiter.result());
      EXPECT_FALSE(waiter.result().error().message.empty());
      server.start();
    }
    expect_recovery(future, "the server was started anew");
  }
}

TEST(Lifecycle, AServerThatDiesUnderAComputationIsNoticed) {
  for (const bool restarts : {false, true}) {
    Server server;
    auto future = make(server.endpoint(), {.lock = 1s, .poll = 10ms});
    Slow slow;
    Caller winner(future, "key", slow.compute("value"));
    ASSERT_TRUE(slow.begun.wait_for());
    server.kill();
    if (restarts) server.start();
    slow.go_on.open();
    expect_value_or_clear_error(winner, "value",
                                restarts
                                    ? "the server was started anew while the value was computed"
                                    : "the server died while the value was computed");
    if (!restarts) server.start();
    expect_recovery(future, "the server was started anew");
  }
}

// A server without memory refuses to store, and goes on deleting and publishing.
// What could not be stored is lost, and its lock is given back or ends by itself.
TEST(Lifecycle, AServerWithoutMemoryKeepsNobodyWaiting) {
  const Server server({"--maxmemory-policy", "noeviction"});
  Other other(server.endpoint());
  const auto key = fresh_key();
  auto one = make(server.endpoint(), {.lock = 1s, .poll = 10ms});
  auto another = make(server.endpoint(), {.lock = 1s, .poll = 10ms});
  Slow slow;
  {
    Caller winner(one, key, slow.compute("value"));
    ASSERT_TRUE(slow.begun.wait_for());
    Caller waiter(another, key, returning("value"));
    workbook::eventually([&] { return waiter.has_returned(); }, 30ms);  // lets it go to sleep
    other.tell({"CONFIG", "SET", "maxmemory", "1"});
    slow.go_on.open();
    expect_value_or_clear_error(winner, "value", "the server had no memory for the value");
    EXPECT_TRUE(eventually([&] { return !other.lock_of(key); }))
        << "the value could not be stored, and the key stays locked for longer than lock_ttl";
    expect_value_or_clear_error(waiter, "value", "the winner could not store its value");
  }
  other.tell({"CONFIG", "SET", "maxmemory", "0"});
  expect_recovery(one, "the server has memory again");
}

TEST(Lifecycle, AFullServerIsAClearError) {
  const Server server({"--maxmemory", "1mb", "--maxmemory-policy", "noeviction"});
  auto future = make(server.endpoint(), {.lock = 1s, .poll = 10ms});
  const std::string value(std::size_t{2} << 20, 'x');
  Other other(server.endpoint());
  for (const std::string& wanted : {value, "small"s}) {
    const auto key = fresh_key();
    Caller caller(future, key, returning(wanted));
    expect_value_or_clear_error(caller, wanted, "the server has one megabyte, all in use");
    EXPECT_TRUE(eventually([&] { return !other.lock_of(key); })) << "the key stays locked";
  }
}

}  // namespace
}  // namespace distributed_suite
