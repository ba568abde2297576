// What a store of leased promises must do. Every test is a sentence; a failure says what was seen
// and what to think about next.
#include <future>

#include "suite_await.hpp"
#include "suite_faults.hpp"
#include "suite_leases.hpp"
#include "suite_moments.hpp"
#include "suite_stress.hpp"
#include "suite_support.hpp"

namespace leased_suite {

TEST(Basic, WhatAWorkerSettlesAnAwaiterGets) {
  const World world;
  LeaseStore workers(world.connection());
  LeaseStore awaiters(world.connection());
  set_up(workers, {"report"});
  const auto lease = must_claim(workers);
  EXPECT_EQ(lease.id, "report");
  EXPECT_EQ(told(workers.settle(forever, lease, "42")), "success");
  EXPECT_EQ(told(got(awaiters, "report")), "the value \"42\"");
  EXPECT_EQ(told(got(workers, "report")), "the value \"42\"") << "asked once more";
}

TEST(Basic, TheOldestPromiseIsClaimedFirst) {
  const World world;
  LeaseStore store(world.connection());
  set_up(store, {"zebra", "ant", "mole"});
  for (const std::string expected : {"zebra", "ant", "mole"}) {
    EXPECT_EQ(must_claim(store).id, expected) << "they were created in another order";
  }
}

TEST(Basic, WhatIsOnLeaseOrSettledIsNotClaimed) {
  const World world;
  LeaseStore store(world.connection());
  set_up(store, {});
  EXPECT_EQ(told(store.claim(forever, "worker", never)), "nothing to claim") << "it is empty";
  set_up(store, {"one", "two"});
  const auto one = must_claim(store, "a worker");
  EXPECT_EQ(must_claim(store, "another").id, "two") << "the other one is on lease";
  EXPECT_EQ(told(store.settle(forever, one, "value")), "success");
  EXPECT_EQ(told(store.claim(forever, "a third", never)), "nothing to claim");
}

TEST(Basic, ARejectedPromiseGivesItsErrorToEverybody) {
  const World world;
  LeaseStore store(world.connection());
  set_up(store, {});
  const std::vector<Error> errors{
      {Errc::not_found, "no such report"},
      {Errc::unavailable, "the printer is away, not the database"},
      {Errc::cancelled, ""},
      {Errc::lease_lost, "of the flat"},
      {make_error_code(std::errc::no_space_on_device), "a\0b 'quoted'"s},
      {std::error_code(ENOENT, std::system_category()), "\xff is no UTF-8"},
  };
  for (const auto& error : errors) {
    const auto id = "failing " + error.code.message();
    set_up(store, {id});
    EXPECT_EQ(told(store.settle(forever, must_claim(store), std::unexpected(error))), "success");
    Caller<std::string> awaiter([&](const Context& context) { return store.await(context, id); });
    EXPECT_TRUE(awaiter.returns()) << "the promise was rejected with " << error.code.message()
                                   << ", and await() takes that for an error of its own";
    const auto& result = awaiter.result();
    ASSERT_FALSE(result) << told(result);
    EXPECT_EQ(result.error(), error) << told(result);
  }
  set_up(store, {"foreign"});
  const Error foreign{make_error_code(std::future_errc::no_state),
                      "who reads this knows no future"};
  EXPECT_EQ(kind(store.settle(forever, must_claim(store), std::unexpected(foreign))),
            "invalid argument");
}

TEST(Basic, CreatingAPromiseAgainChangesNothing) {
  World world;
  LeaseStore store(world.connection());
  set_up(store, {"one"});
  const auto lease = must_claim(store);
  EXPECT_EQ(told(store.create(forever, "one")), "success");
  EXPECT_EQ(told(store.claim(forever, "another", never)), "nothing to claim")
      << "create() has taken the lease from its holder";
  EXPECT_EQ(told(store.settle(forever, lease, "value")), "success");
  EXPECT_EQ(told(store.create(forever, "one")), "success");
  EXPECT_EQ(world.state("one"), "resolved");
  EXPECT_EQ(told(store.create_schema(forever)), "success") << "the table is there already";
  EXPECT_EQ(told(got(store, "one")), "the value \"value\"");
}

TEST(Basic, APromiseNobodyCreatedIsNotFound) {
  const World world;
  LeaseStore store(world.connection());
  set_up(store, {"another"});
  const Lease lease{"unknown", 1};
  EXPECT_EQ(kind(got(store, "unknown")), "not found");
  EXPECT_EQ(kind(store.heartbeat(forever, lease, never)), "not found");
  EXPECT_EQ(kind(store.settle(forever, lease, "value")), "not found");
}

TEST(Basic, ASettledPromiseStaysAsItIs) {
  const World world;
  LeaseStore store(world.connection());
  set_up(store, {"one", "two"});
  const auto one = must_claim(store);
  EXPECT_EQ(told(store.settle(forever, one, "first")), "success");
  EXPECT_EQ(told(store.settle(forever, one, "first")), "success")
      << "the same again: whoever did not get the answer must be able to ask";
  EXPECT_EQ(kind(store.settle(forever, one, "second")), "already settled");
  EXPECT_EQ(kind(store.settle(forever, one, std::unexpected(Error{Errc::closed, "first"}))),
            "already settled");
  EXPECT_EQ(kind(store.heartbeat(forever, one, never)), "already settled");
  EXPECT_EQ(told(got(store, "one")), "the value \"first\"");

  const auto two = must_claim(store);
  const Error error{Errc::closed, "no"};
  EXPECT_EQ(told(store.settle(forever, two, std::unexpected(error))), "success");
  EXPECT_EQ(told(store.settle(forever, two, std::unexpected(error))), "success");
  EXPECT_EQ(kind(store.settle(forever, two, std::unexpected(Error{Errc::closed, "yes"}))),
            "already settled");
  EXPECT_EQ(kind(store.settle(forever, two, "no")), "already settled");
}

TEST(Basic, IdsMayHoldAnyByteAndAreNotMistakenForOneAnother) {
  const World world;
  LeaseStore store(world.connection());
  const std::vector<std::string> ids{"a",        "A",
                                     "a\0"s,     "a\0b"s,
                                     "it's",     "\"quoted\"",
                                     "$1",       "%s",
                                     "\\x61",    "a'; DROP TABLE leased_promise; --",
                                     "\xff\xfe", "line\nb",
                                     " a",       std::string(1000, '\'')};
  set_up(store, ids);
  for (const auto& id : ids) {
    const auto lease = must_claim(store);
    EXPECT_EQ(lease.id, id);
    EXPECT_EQ(told(store.heartbeat(forever, lease, never)), "success");
    EXPECT_EQ(told(store.settle(forever, lease, "of " + id)), "success");
  }
  for (const auto& id : ids) EXPECT_EQ(got(store, id), Outcome("of " + id));
  for (const auto& id : {""s, std::string(1001, 'x')}) {
    EXPECT_EQ(kind(store.create(forever, id)), "invalid argument") << id.size() << " bytes";
  }
}

TEST(Basic, ValuesMayHoldAnyByte) {
  const World world;
  LeaseStore store(world.connection());
  std::string every_byte;
  for (int i = 0; i < 512; ++i) every_byte += static_cast<char>(i);
  const std::vector<std::string> values{"",
                                        "\0"s,
                                        "a\0b"s,
                                        every_byte,
                                        "null",
                                        "\\x00",
                                        R"({"b": 1,  "a": 12345678901234567890, "b": 2.50})",
                                        R"("\u0000 it's \ud834\udd1e")",
                                        std::string(std::size_t{8} << 20, '\x80')};
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto id = std::to_string(i);
    set_up(store, {id});
    const auto lease = must_claim(store);
    EXPECT_EQ(told(store.settle(forever, lease, values[i])), "success");
    EXPECT_EQ(told(store.settle(forever, lease, values[i])), "success") << "the same again";
    const auto result = got(store, id);
    EXPECT_TRUE(result == values[i]) << told(Outcome(values[i])) << " became " << told(result);
  }
}

TEST(Basic, ALeaseThatLastsNoTimeIsAnError) {
  World world;
  LeaseStore store(world.connection());
  set_up(store, {"one"});
  for (const auto ttl : {0ms, -5ms}) {
    EXPECT_EQ(kind(store.claim(forever, "worker", ttl)), "invalid argument");
  }
  const auto lease = must_claim(store);
  for (const auto ttl : {0ms, -5ms}) {
    EXPECT_EQ(kind(store.heartbeat(forever, lease, ttl)), "invalid argument");
  }
  EXPECT_GT(world.left("one"), 0) << "the lease was given up";
}

}  // namespace leased_suite
