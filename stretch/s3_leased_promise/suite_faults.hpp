// Connections that are cut, a server that hangs, crashes, is away, or says no. What is asked for:
// recovery while the context lasts, else an error that says something, and no outcome that is told
// wrongly.
#pragma once

#include <signal.h>
#include <string>
#include <vector>

#include "suite_await.hpp"
#include "suite_support.hpp"

namespace leased_suite {
namespace {

TEST(Lifecycle, WithoutAServerTheContextEndsTheCallAndTheServersTroubleIsTold) {
  LeaseStore store("host=/nowhere user=workbook dbname=postgres");
  const Lease lease{"one", 1};
  const auto call = [&](auto what) {
    std::string words;
    // On a busy machine a short time may be over before the first attempt.
    for (auto time = 50ms; time < 20s && !words.contains("/nowhere"); time *= 5) {
      const auto limit = with_timeout(forever, time);
      const auto result = what(limit.context());
      ASSERT_EQ(kind(result), "deadline exceeded") << told(result);
      words = result.error().message;
    }
    EXPECT_TRUE(words.contains("/nowhere"))
        << "why it could not be done should be in the words: " << words;
  };
  call([&](const Context& context) { return store.create(context, "one"); });
  call([&](const Context& context) { return store.claim(context, "worker", never); });
  call([&](const Context& context) { return store.heartbeat(context, lease, never); });
  call([&](const Context& context) { return store.settle(context, lease, "value"); });
  call([&](const Context& context) { return store.await(context, "one"); });
}

TEST(Lifecycle, AnAddressThatMakesNoSenseIsAnErrorAtOnce) {
  LeaseStore store("where the server is");
  Caller<void> create([&](const Context& context) { return store.create(context, "one"); });
  EXPECT_TRUE(create.returns()) << "nobody will ever understand this address";
  EXPECT_EQ(kind(create.result()), "invalid argument") << told(create.result());
}

TEST(Lifecycle, WhatTheServerRefusesIsAnErrorAtOnce) {
  World world;
  LeaseStore store(world.connection());  // without its table
  Caller<std::optional<Lease>> claim(
      [&](const Context& context) { return store.claim(context, "worker", never); });
  EXPECT_TRUE(claim.returns()) << "the server says no, and will say no again";
  EXPECT_EQ(kind(claim.result()), "service error");
  EXPECT_NE(told(claim.result()).find("leased_promise"), std::string::npos)
      << "the server's own words are missing: " << told(claim.result());
  set_up(store, {"one"});
  EXPECT_EQ(must_claim(store).id, "one") << "the store is of no use any more after a refusal";
}

TEST(Lifecycle, ACutConnectionIsNoNewsForTheCaller) {
  World world;
  LeaseStore store(world.connection());
  set_up(store, {"one"});
  const auto cut = [&] { world.terminate("store"); };
  cut();
  EXPECT_EQ(told(store.create(forever, "two")), "success");
  cut();
  const auto lease = must_claim(store);
  cut();
  EXPECT_EQ(told(store.heartbeat(forever, lease, never)), "success");
  cut();
  EXPECT_EQ(told(store.settle(forever, lease, "value")), "success");
  cut();
  EXPECT_EQ(told(got(store, "one")), "the value \"value\"");
  cut();
  EXPECT_EQ(told(store.create_schema(forever)), "success");
}

TEST(Lifecycle, AnAwaiterWhoseConnectionIsCutGoesOnWaiting) {
  World world;
  LeaseStore workers(world.connection("worker"));
  LeaseStore awaiters(world.connection("awaiter"), never);
  set_up(workers, {"one"});
  const auto lease = must_claim(workers);
  Caller<std::string> awaiter(
      [&](const Context& context) { return awaiters.await(context, "one"); });
  for (int i = 0; i < 2; ++i) {
    wait_until_quiet(world, "awaiter");
    world.terminate("awaiter");
  }
  wait_until_quiet(world, "awaiter");
  EXPECT_FALSE(awaiter.has_returned()) << "nothing is settled yet; " << told(awaiter.result());
  EXPECT_EQ(told(workers.settle(forever, lease, "value")), "success");
  EXPECT_TRUE(awaiter.returns()) << "its connection was cut, and it does not listen any more";
  EXPECT_EQ(told(awaiter.result()), "the value \"value\"");
}

TEST(Lifecycle, ACallThatIsCutInTheMiddleIsMadeAgain) {
  World world;
  LeaseStore store(world.connection("store"));
  set_up(store, {"one"});
  const auto lease = must_claim(store);
  Session lock = world.session();
  lock.tell("BEGIN");
  lock.tell("SELECT FROM leased_promise WHERE id = 'one' FOR UPDATE");
  Caller<void> settle(
      [&](const Context& context) { return store.settle(context, lease, "value"); });
  EXPECT_TRUE(world.blocked("store"));
  world.terminate("store");
  EXPECT_TRUE(world.blocked("store")) << "its connection was cut, and it does not try again";
  lock.tell("COMMIT");
  EXPECT_EQ(told(settle.result()), "success");
  EXPECT_EQ(world.state("one"), "resolved");
}

// A server that has carried out a settling, and is cut off before it can say so: it waits for a
// replica that does not exist, which is a commit whose answer never comes.
TEST(Lifecycle, ASettlingWhoseAnswerIsLostHasSucceeded) {
  const workbook::PostgresServer server(
      {"max_wal_senders=1", "wal_level=replica", "synchronous_commit=local"});
  for (const bool rejects : {false, true}) {
    World world(server);
    LeaseStore store(world.connection("store"));
    LeaseStore settler(world.connection("settler", " -c synchronous_commit=on"));
    const auto outcome = rejects ? Outcome(std::unexpected(Error{Errc::closed, "no"})) : "value";
    set_up(store, {});
    world.tell("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    world.tell("SELECT pg_reload_conf()");
    // The server needs a moment to notice: until it has, settling succeeds as ever.
    bool lost = false;
    for (int i = 0; i < 500 && !lost; ++i) {
      const auto id = std::to_string(i);
      set_up(store, {id});
      const auto lease = must_claim(store);
      Caller<void> settle(
          [&](const Context& context) { return settler.settle(context, lease, outcome); });
      ASSERT_TRUE(eventually([&] {
        lost = world.backends("settler", "wait_event = 'SyncRep'") > 0;
        return lost || settle.has_returned();
      }));
      if (!lost) continue;
      world.terminate("settler");
      world.tell("ALTER SYSTEM RESET synchronous_standby_names");
      world.tell("SELECT pg_reload_conf()");
      EXPECT_TRUE(settle.returns());
      EXPECT_EQ(told(settle.result()), "success")
          << "the first attempt was carried out, only its answer got lost";
      EXPECT_TRUE(got(store, id) == outcome);
    }
    EXPECT_TRUE(lost) << "the server never waited for its replica";
  }
}

TEST(Lifecycle, TheContextEndsACallThatStandsBeforeALock) {
  World world;
  LeaseStore store(world.connection());
  set_up(store, {"one", "two"});
  const auto lease = must_claim(store);
  Session lock = world.session();
  lock.tell("BEGIN");
  lock.tell("LOCK TABLE leased_promise IN ACCESS EXCLUSIVE MODE");
  {
    Caller<void> create([&](const Context& context) { return store.create(context, "three"); });
    Caller<std::optional<Lease>> claim(
        [&](const Context& context) { return store.claim(context, "worker", never); });
    Caller<void> heartbeat(
        [&](const Context& context) { return store.heartbeat(context, lease, never); });
    Caller<void> settle(
        [&](const Context& context) { return store.settle(context, lease, "value"); });
    Caller<std::string> await([&](const Context& context) { return store.await(context, "one"); });
    // All of them, if each has a connection of its own.
    (void)workbook::eventually(
        [&] { return world.backends("store", "wait_event_type = 'Lock'") == 5; }, 2s);
    EXPECT_TRUE(world.blocked("store"));
    const auto for_each = [&](auto what) {
      what(create, "create()");
      what(claim, "claim()");
      what(heartbeat, "heartbeat()");
      what(settle, "settle()");
      what(await, "await()");
    };
    for_each([](auto& caller, const char*) { caller.cancel(); });
    (void)eventually([&] {
      return create.has_returned() && claim.has_returned() && heartbeat.has_returned() &&
             settle.has_returned() && await.has_returned();
    });
    for_each([](auto& caller, const char* name) {
      if (caller.has_returned()) {
        EXPECT_EQ(kind(caller.result()), "cancelled") << name;
      } else {
        ADD_FAILURE() << name << " waits for the lock although its context has ended";
      }
    });
    lock.tell("COMMIT");  // for those that wait all the same
  }
}

TEST(Lifecycle, AServerThatHangsIsLeftWhenTheContextEnds) {
  const workbook::PostgresServer server;
  World world(server);
  LeaseStore store(world.connection());
  set_up(store, {"one", "two"});
  const auto lease = must_claim(store);
  std::vector<pid_t> stopped{server.pid()};
  const auto table =
      world.tell("SELECT pid FROM pg_stat_activity WHERE application_name LIKE '%.store'");
  for (int row = 0; row < table.rows(); ++row) {
    stopped.push_back(static_cast<pid_t>(table.number(row, 0)));
  }
  for (const pid_t pid : stopped) ::kill(pid, SIGSTOP);
  {
    Caller<std::optional<Lease>> claim(
        [&](const Context& context) { return store.claim(context, "worker", never); });
    Caller<void> settle(
        [&](const Context& context) { return store.settle(context, lease, "value"); });
    (void)workbook::eventually([&] { return claim.has_returned() || settle.has_returned(); }, 50ms);
    claim.cancel();
    settle.cancel();
    EXPECT_TRUE(claim.returns()) << "the server hangs, and so does claim()";
    EXPECT_TRUE(settle.returns()) << "the server hangs, and so does settle()";
    for (const pid_t pid : stopped) ::kill(pid, SIGCONT);
    EXPECT_FALSE(claim.result()) << told(claim.result());
    EXPECT_FALSE(settle.result()) << told(settle.result());
  }
  EXPECT_EQ(told(store.settle(forever, lease, "value")), "success")
      << "the server answers again; what was asked before may have been done, or not";
}

TEST(Lifecycle, ACrashOfTheServerIsSurvived) {
  workbook::PostgresServer server;
  World world(server);
  LeaseStore store(world.connection(), 50ms);
  set_up(store, {"one", "two"});
  const auto one = must_claim(store);
  EXPECT_EQ(told(store.settle(forever, one, "before")), "success");
  const auto two = must_claim(store);
  Caller<std::string> awaiter([&](const Context& context) { return store.await(context, "two"); });
  Gate started;
  server.crash();
  Caller<void> settle([&](const Context& context) {
    started.open();
    return store.settle(context, two, "after");
  });
  EXPECT_TRUE(started.wait_for());
  (void)workbook::eventually([&] { return settle.has_returned() || awaiter.has_returned(); }, 50ms);
  EXPECT_FALSE(settle.has_returned()) << "there is no server; " << told(settle.result());
  EXPECT_FALSE(awaiter.has_returned()) << "there is no server; " << told(awaiter.result());
  server.start();
  EXPECT_TRUE(settle.returns()) << "the server is there again";
  EXPECT_EQ(told(settle.result()), "success") << "the lease outlives the crash";
  EXPECT_TRUE(awaiter.returns()) << "the server is there again";
  EXPECT_EQ(told(awaiter.result()), "the value \"after\"");
  EXPECT_EQ(told(got(store, "one")), "the value \"before\"");
}

TEST(Lifecycle, WhenTheStoreIsGoneSoAreItsConnections) {
  World world;
  {
    LeaseStore store(world.connection());
    set_up(store, {"one", "two"});
    const auto lease = must_claim(store);
    std::vector<std::unique_ptr<Caller<std::string>>> callers;
    for (int i = 0; i < 6; ++i) {
      callers.push_back(std::make_unique<Caller<std::string>>(
          [&](const Context& context) { return store.await(context, "one"); }));
    }
    wait_until_quiet(world, "store");
    EXPECT_EQ(told(store.settle(forever, lease, "value")), "success");
    for (auto& caller : callers) EXPECT_EQ(told(caller->result()), "the value \"value\"");
    const auto shortly = with_timeout(forever, 10ms);
    EXPECT_FALSE(store.await(shortly.context(), "two"));
  }
  EXPECT_TRUE(eventually([&] { return world.backends("store") == 0; }))
      << "connections that are still open: " << world.backends("store");
}

}  // namespace
}  // namespace leased_suite
