// Two at the same moment. Locks in the database bring the moment about: none of these tests needs
// luck.
#pragma once

#include <string>

#include "suite_support.hpp"

namespace leased_suite {
namespace {

// Nobody can change the table meanwhile; everybody can read it, and lock single rows.
class ReadOnly {
 public:
  explicit ReadOnly(const World& world) : session_(world.session()) {
    session_.tell("BEGIN");
    session_.tell("LOCK TABLE leased_promise IN SHARE MODE");
  }
  void end() { session_.tell("COMMIT"); }

 private:
  Session session_;
};

// Until this caller stands before a lock, or has done without.
template <class T>
void wait_for(World& world, const std::string& who, const Caller<T>& caller) {
  (void)eventually(
      [&] { return caller.has_returned() || world.backends(who, "wait_event_type = 'Lock'") > 0; });
}

TEST(Basic, AClaimDoesNotWaitForWhatIsBeingTaken) {
  World world;
  LeaseStore store(world.connection());
  set_up(store, {"one", "two"});
  Session other = world.session();
  other.tell("BEGIN");
  other.tell("SELECT FROM leased_promise WHERE id = 'one' FOR UPDATE");
  Caller<std::optional<Lease>> claim(
      [&](const Context& context) { return store.claim(context, "worker", never); });
  EXPECT_TRUE(claim.returns()) << "another worker is just taking the first promise, and this one "
                                  "waits for it, although there is a second";
  EXPECT_EQ(told(claim.result()), "a lease of \"two\"");
  Caller<std::optional<Lease>> again(
      [&](const Context& context) { return store.claim(context, "worker", never); });
  EXPECT_TRUE(again.returns()) << "waits for the only promise, which somebody else is just taking";
  EXPECT_EQ(told(again.result()), "nothing to claim");
  other.tell("COMMIT");
}

TEST(Basic, TwoClaimsAtOnceTakeTwoPromises) {
  World world;
  LeaseStore a(world.connection("a"));
  LeaseStore b(world.connection("b"));
  set_up(a, {"one", "two"});
  ReadOnly moment(world);
  Caller<std::optional<Lease>> first(
      [&](const Context& context) { return a.claim(context, "a", never); });
  Caller<std::optional<Lease>> second(
      [&](const Context& context) { return b.claim(context, "b", never); });
  wait_for(world, "a", first);
  wait_for(world, "b", second);
  moment.end();
  ASSERT_TRUE(first.result() && *first.result()) << told(first.result());
  ASSERT_TRUE(second.result() && *second.result()) << told(second.result());
  EXPECT_NE((*first.result())->id, (*second.result())->id)
      << "both found it free and took it: two leases of one promise at the same time";
}

TEST(Basic, TwoClaimsAtOnceDoNotShareTheLastPromise) {
  World world;
  LeaseStore a(world.connection("a"));
  LeaseStore b(world.connection("b"));
  set_up(a, {"one"});
  ReadOnly moment(world);
  Caller<std::optional<Lease>> first(
      [&](const Context& context) { return a.claim(context, "a", never); });
  Caller<std::optional<Lease>> second(
      [&](const Context& context) { return b.claim(context, "b", never); });
  wait_for(world, "a", first);
  wait_for(world, "b", second);
  moment.end();
  ASSERT_TRUE(first.result() && second.result())
      << told(first.result()) << " and " << told(second.result());
  EXPECT_NE(first.result()->has_value(), second.result()->has_value())
      << "there is one promise; the two got " << told(first.result()) << " and "
      << told(second.result());
}

TEST(Basic, ATakeoverInTheSameMomentKeepsTheZombieOut) {
  for (const bool expired : {true, false}) {
    World world;
    LeaseStore store(world.connection());
    set_up(store, {"one"});
    const auto zombie = must_claim(store);
    if (expired) world.expire("one");
    Session other = world.session();
    other.tell("BEGIN");
    other.tell(
        "UPDATE leased_promise SET token = token + 1, worker = 'another', "
        "leased_until = clock_timestamp() + interval '1 hour' WHERE id = 'one'");
    Caller<void> settle(
        [&](const Context& context) { return store.settle(context, zombie, "of the zombie"); });
    wait_for(world, "store", settle);
    other.tell("COMMIT");
    EXPECT_EQ(kind(settle.result()), "lease lost")
        << "it looked, the token was right; before it wrote, another worker had taken over";
    EXPECT_EQ(world.state("one"), "pending");
  }
}

TEST(Basic, ATakeoverInTheSameMomentKeepsItsLease) {
  World world;
  LeaseStore store(world.connection());
  set_up(store, {"one"});
  const auto zombie = must_claim(store);
  Session other = world.session();
  other.tell("BEGIN");
  other.tell(
      "UPDATE leased_promise SET token = token + 1, worker = 'another', "
      "leased_until = clock_timestamp() + interval '10 minutes' WHERE id = 'one'");
  Caller<void> heartbeat(
      [&](const Context& context) { return store.heartbeat(context, zombie, 1h); });
  wait_for(world, "store", heartbeat);
  other.tell("COMMIT");
  EXPECT_EQ(kind(heartbeat.result()), "lease lost");
  EXPECT_LE(world.left("one"), 600'000) << "a zombie's heartbeat extended the successor's lease";
}

TEST(Basic, TwoOutcomesAtOnceAreOneOutcome) {
  World world;
  LeaseStore a(world.connection("a"));
  LeaseStore b(world.connection("b"));
  set_up(a, {"one"});
  const auto lease = must_claim(a);
  ReadOnly moment(world);
  Caller<void> first([&](const Context& context) { return a.settle(context, lease, "left"); });
  Caller<void> second([&](const Context& context) { return b.settle(context, lease, "right"); });
  wait_for(world, "a", first);
  wait_for(world, "b", second);
  moment.end();
  EXPECT_NE(first.result().has_value(), second.result().has_value())
      << "two threads settled with one lease and two values: " << told(first.result()) << " and "
      << told(second.result());
  EXPECT_EQ(kind(first.result() ? second.result() : first.result()), "already settled");
  EXPECT_EQ(told(got(a, "one")), first.result() ? "the value \"left\"" : "the value \"right\"");
}

TEST(Basic, TwoMayMakeTheTableAtOnce) {
  World world;
  LeaseStore one(world.connection("one"));
  set_up(one, {});
  const auto columns = world.tell(
      "SELECT string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', ') FROM "
      "pg_attribute WHERE attrelid = 'leased_promise'::regclass AND attnum > 0");
  World fresh;
  LeaseStore another(fresh.connection("another"));
  Session other = fresh.session();
  other.tell("BEGIN");
  other.tell("CREATE TABLE leased_promise (" + columns.text(0, 0) + ", PRIMARY KEY (id))");
  Caller<void> create([&](const Context& context) { return another.create_schema(context); });
  wait_for(fresh, "another", create);
  other.tell("COMMIT");
  EXPECT_EQ(told(create.result()), "success")
      << "another process made the table in the same moment";
}

}  // namespace
}  // namespace leased_suite
