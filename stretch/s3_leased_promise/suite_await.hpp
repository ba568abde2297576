// Awaiting: told at once when all goes well, and never relying on being told.
#pragma once

#include <string>

#include "suite_support.hpp"

namespace leased_suite {
namespace {

// Until the connections of `who` have had nothing to do for a while: it waits.
void wait_until_quiet(World& world, const std::string& who) {
  (void)eventually([&] {
    return world.backends(who,
                          "state = 'idle' AND "
                          "state_change < clock_timestamp() - interval '100 milliseconds'") > 0;
  });
}

TEST(Lifecycle, AnAwaiterIsToldAtOnce) {
  World world;
  LeaseStore workers(world.connection("worker"));
  LeaseStore awaiters(world.connection("awaiter"), never);
  set_up(workers, {"one", "two"});
  for (const bool rejects : {false, true}) {
    const std::string id = rejects ? "two" : "one";
    const auto lease = must_claim(workers);
    Caller<std::string> awaiter(
        [&](const Context& context) { return awaiters.await(context, id); });
    wait_until_quiet(world, "awaiter");
    EXPECT_FALSE(awaiter.has_returned()) << told(awaiter.result());
    const auto outcome = rejects ? Outcome(std::unexpected(Error{Errc::closed, "no"})) : "value";
    EXPECT_EQ(told(workers.settle(forever, lease, outcome)), "success");
    EXPECT_TRUE(awaiter.returns())
        << "settled, and the awaiter hears nothing of it: it would look again in ten minutes";
    EXPECT_TRUE(awaiter.result() == outcome) << told(awaiter.result());
  }
}

TEST(Lifecycle, AWordThatGetsLostIsNoReasonToWaitForEver) {
  World world;
  LeaseStore store(world.connection(), 200ms);
  set_up(store, {"one"});
  Caller<std::string> awaiter([&](const Context& context) { return store.await(context, "one"); });
  wait_until_quiet(world, "store");
  // By hand, without NOTIFY; the same happens when the awaiter's connection is cut in that moment.
  world.tell(
      "UPDATE leased_promise SET state = 'resolved', value = 'value', token = 1, "
      "settled_at = clock_timestamp() WHERE id = 'one'");
  EXPECT_TRUE(awaiter.returns()) << "no word came, and the awaiter does not look by itself";
  EXPECT_EQ(told(awaiter.result()), "the value \"value\"");
}

// Says what it got.
WORKBOOK_ROLE(await_one) {
  LeaseStore store(arguments[0], never);
  workbook::tell(told(store.await(forever, arguments[1])));
  return 0;
}

// What a child says next; when that takes too long, it is killed, and this says so.
std::string said(workbook::Child& child) {
  Caller<std::string> listener(
      [&](const Context&) -> Outcome { return child.line().value_or("(nothing, it has ended)"); });
  if (!listener.returns()) child.kill();
  return listener.result().value_or("");
}

TEST(Lifecycle, NothingIsMissedBetweenLookingAndListening) {
  World world;
  LeaseStore workers(world.connection("worker"));
  set_up(workers, {"one"});
  const auto lease = must_claim(workers);
  Session lock = world.session();
  lock.tell("BEGIN");
  lock.tell("LOCK TABLE leased_promise IN ACCESS EXCLUSIVE MODE");
  // The awaiter asks for the state and has to wait for the answer; it is stopped before it reads
  // it.
  workbook::Child child("await_one", {world.connection("child"), "one"});
  EXPECT_TRUE(world.blocked("child"));
  child.freeze();
  lock.tell("COMMIT");
  EXPECT_TRUE(eventually([&] { return world.backends("child", "state = 'idle'") > 0; }));
  // It has looked: "pending". What it does not know yet is this.
  EXPECT_EQ(told(workers.settle(forever, lease, "value")), "success");
  child.thaw();
  EXPECT_EQ(said(child), "the value \"value\"")
      << "settled after the awaiter had looked and before it listened: it has missed the news and "
         "would look again in ten minutes";
}

TEST(Lifecycle, WhatIsSettledWhileTheAwaiterIsFrozenIsNotMissed) {
  World world;
  LeaseStore workers(world.connection("worker"));
  set_up(workers, {"one"});
  const auto lease = must_claim(workers);
  workbook::Child child("await_one", {world.connection("child"), "one"});
  wait_until_quiet(world, "child");
  child.freeze();
  EXPECT_EQ(told(workers.settle(forever, lease, "value")), "success")
      << "an awaiter that does not listen keeps a worker from settling";
  child.thaw();
  EXPECT_EQ(said(child), "the value \"value\"");
}

TEST(Lifecycle, TheWordIsSentWhenItIsTrue) {
  World world;
  LeaseStore workers(world.connection("worker"));
  LeaseStore awaiters(world.connection("awaiter"), never);
  set_up(workers, {"one"});
  const auto lease = must_claim(workers);
  Caller<std::string> awaiter(
      [&](const Context& context) { return awaiters.await(context, "one"); });
  wait_until_quiet(world, "awaiter");
  // Keeps the worker in the middle of its settling.
  Session lock = world.session();
  lock.tell("BEGIN");
  lock.tell("SELECT FROM leased_promise WHERE id = 'one' FOR UPDATE");
  Caller<void> settle(
      [&](const Context& context) { return workers.settle(context, lease, "value"); });
  EXPECT_TRUE(world.blocked("worker"));
  wait_until_quiet(world, "awaiter");
  lock.tell("COMMIT");
  EXPECT_EQ(told(settle.result()), "success");
  EXPECT_TRUE(awaiter.returns())
      << "told too early: it looked, nothing was settled yet, and no other word came";
  EXPECT_EQ(told(awaiter.result()), "the value \"value\"");
}

TEST(Lifecycle, AnAwaiterWaitsForItsOwnPromise) {
  World world;
  LeaseStore workers(world.connection("worker"));
  LeaseStore awaiters(world.connection("awaiter"), never);
  set_up(workers, {"another", "mine"});
  Caller<std::string> awaiter(
      [&](const Context& context) { return awaiters.await(context, "mine"); });
  wait_until_quiet(world, "awaiter");
  EXPECT_EQ(told(workers.settle(forever, must_claim(workers), "another's")), "success");
  const auto lease = must_claim(workers);
  EXPECT_EQ(told(workers.heartbeat(forever, lease, never)), "success");
  wait_until_quiet(world, "awaiter");
  EXPECT_FALSE(awaiter.has_returned())
      << "mine is pending, and the awaiter has returned " << told(awaiter.result());
  EXPECT_EQ(told(workers.settle(forever, lease, "mine")), "success");
  EXPECT_TRUE(awaiter.returns());
  EXPECT_EQ(told(awaiter.result()), "the value \"mine\"");
}

TEST(Lifecycle, ManyAwaitersGetTheSameOutcome) {
  World world;
  LeaseStore workers(world.connection("worker"));
  LeaseStore awaiters(world.connection("awaiter"), never);
  set_up(workers, {"one"});
  const auto lease = must_claim(workers);
  workbook::Child child("await_one", {world.connection("child"), "one"});
  std::vector<std::unique_ptr<Caller<std::string>>> callers;
  for (int i = 0; i < 8; ++i) {
    callers.push_back(std::make_unique<Caller<std::string>>(
        [&](const Context& context) { return awaiters.await(context, "one"); }));
  }
  wait_until_quiet(world, "child");
  EXPECT_EQ(told(workers.settle(forever, lease, "value")), "success");
  for (auto& caller : callers) {
    EXPECT_TRUE(caller->returns());
    EXPECT_EQ(told(caller->result()), "the value \"value\"");
  }
  EXPECT_EQ(said(child), "the value \"value\"");
}

TEST(Lifecycle, TheContextEndsTheWait) {
  World world;
  LeaseStore store(world.connection(), never);
  set_up(store, {"one"});
  Caller<std::string> awaiter([&](const Context& context) { return store.await(context, "one"); });
  wait_until_quiet(world, "store");
  awaiter.cancel();
  EXPECT_TRUE(awaiter.returns()) << "its context has ended, and it waits for a word";
  EXPECT_EQ(kind(awaiter.result()), "cancelled");

  const auto shortly = with_timeout(forever, 30ms);
  EXPECT_EQ(kind(store.await(shortly.context(), "one")), "deadline exceeded");
  EXPECT_EQ(told(store.settle(forever, must_claim(store), "value")), "success");
  EXPECT_EQ(told(got(store, "one")), "the value \"value\"")
      << "the store is of no use any more after a wait that was given up";
}

TEST(Lifecycle, AContextThatHasEndedEndsEveryCall) {
  World world;
  LeaseStore store(world.connection());
  set_up(store, {"one", "two"});
  const auto lease = must_claim(store, "worker", 10min);
  auto source = with_cancel(forever);
  source.cancel(Error{Errc::closed, "the shop is closed"});
  const auto& closed = source.context();
  EXPECT_EQ(kind(store.create_schema(closed)), "closed");
  EXPECT_EQ(kind(store.create(closed, "three")), "closed");
  EXPECT_EQ(kind(store.claim(closed, "worker", never)), "closed");
  EXPECT_EQ(kind(store.heartbeat(closed, lease, never)), "closed");
  EXPECT_EQ(kind(store.settle(closed, lease, "value")), "closed");
  EXPECT_EQ(kind(store.await(closed, "one")), "closed");
  EXPECT_EQ(world.state("one") + world.state("three"), "pendingno such row");
}

}  // namespace
}  // namespace leased_suite
