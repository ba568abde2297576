// Leases: how long they last, by whose clock, and what is refused to those who had one.
#pragma once

#include <ctime>
#include <string>
#include <sys/syscall.h>
#include <unistd.h>

#include "suite_support.hpp"
#include "testing/uninstrumented.hpp"

namespace leased_suite {

// How far the calendar of this process is off; its steady clock goes on as before.
inline volatile long calendar_is_off_by = 0;

// A machine whose calendar is wrong.
class WrongCalendar {
 public:
  explicit WrongCalendar(std::chrono::seconds by) { calendar_is_off_by = by.count(); }
  ~WrongCalendar() { calendar_is_off_by = 0; }
  WrongCalendar(const WrongCalendar&) = delete;
  WrongCalendar& operator=(const WrongCalendar&) = delete;
};

}  // namespace leased_suite

extern "C" {

// Stands in for the C library's, for the libraries as well.
WORKBOOK_UNINSTRUMENTED int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const auto result = static_cast<int>(::syscall(SYS_clock_gettime, clock, time));
  if (clock == CLOCK_REALTIME) time->tv_sec += leased_suite::calendar_is_off_by;
  return result;
}

}  // extern "C"

namespace leased_suite {
namespace {

TEST(Basic, ALeaseLastsAsLongAsWasAskedByTheDatabasesClock) {
  World world;
  LeaseStore store(world.connection());
  for (const auto off : {0h, 5h, -5h}) {
    const auto id = "off by " + std::to_string(off.count());
    set_up(store, {id});
    const WrongCalendar wrong(off);
    const auto lease = must_claim(store, "worker", 10min);
    EXPECT_LE(world.left(id), 600'000) << "milliseconds left of ten minutes; the calendar of the "
                                          "worker's machine is off by "
                                       << off.count() << " hours";
    EXPECT_GT(world.left(id), 0) << "the worker's calendar is off by " << off.count() << " hours";
    EXPECT_EQ(told(store.heartbeat(forever, lease, 20min)), "success");
    EXPECT_LE(world.left(id), 1'200'000) << "milliseconds left of twenty minutes after a heartbeat";
    EXPECT_GT(world.left(id), 600'000) << "the heartbeat has not extended the lease";
    EXPECT_EQ(told(store.settle(forever, lease, "value")), "success");
  }
}

TEST(Basic, TheDatabasesClockSaysWhenALeaseIsOver) {
  World world;
  LeaseStore store(world.connection());
  set_up(store, {"one"});
  const auto first = must_claim(store, "worker", 10min);
  {
    const WrongCalendar wrong(5h);
    EXPECT_EQ(told(store.claim(forever, "another", never)), "nothing to claim")
        << "the lease is good for ten minutes; only this machine's calendar is ahead";
    EXPECT_EQ(told(store.heartbeat(forever, first, 10min)), "success");
  }
  world.expire("one");
  const WrongCalendar wrong(-5h);
  EXPECT_EQ(kind(store.settle(forever, first, "late")), "lease lost");
  EXPECT_EQ(told(store.claim(forever, "another", never)), "a lease of \"one\"")
      << "the lease is over; only this machine's calendar is behind";
}

TEST(Basic, ALeaseRunsOutByItself) {
  const World world;
  LeaseStore store(world.connection());
  set_up(store, {"one"});
  const auto first = must_claim(store, "worker", 20ms);
  EXPECT_TRUE(eventually([&] {
    const auto claimed = store.claim(forever, "another", never);
    return claimed && *claimed && (*claimed)->token > first.token;
  })) << "a lease of 20 milliseconds, and nobody can take over";
}

TEST(Basic, EachLeaseHasALargerToken) {
  World world;
  LeaseStore store(world.connection());
  set_up(store, {"one", "two"});
  std::int64_t last = must_claim(store).token;
  for (int i = 0; i < 3; ++i) {
    world.expire("one");
    const auto lease = must_claim(store);
    ASSERT_EQ(lease.id, "one");
    EXPECT_GT(lease.token, last) << "a token that was used before can't tell two holders apart";
    last = lease.token;
  }
}

TEST(Basic, AHeartbeatLengthensTheLeaseAndKeepsTheToken) {
  World world;
  LeaseStore store(world.connection());
  set_up(store, {"one"});
  const auto lease = must_claim(store, "worker", 10min);
  EXPECT_EQ(told(store.heartbeat(forever, lease, 1h)), "success");
  EXPECT_GT(world.left("one"), 600'000) << "milliseconds left after a heartbeat of one hour";
  EXPECT_EQ(told(store.settle(forever, lease, "value")), "success")
      << "the lease was extended, and its token is not good any more";
}

TEST(Basic, AHeartbeatDoesNotReviveALease) {
  World world;
  LeaseStore store(world.connection());
  set_up(store, {"one"});
  const auto lease = must_claim(store);
  world.expire("one");
  EXPECT_EQ(kind(store.heartbeat(forever, lease, never)), "lease lost")
      << "it came too late, whether somebody took over or not";
  EXPECT_LT(world.left("one"), 0) << "the lease was over, and now it goes on";
  const auto next = must_claim(store, "another", 10min);
  EXPECT_EQ(kind(store.heartbeat(forever, lease, 1h)), "lease lost");
  EXPECT_LE(world.left("one"), 600'000) << "a heartbeat extended the lease of somebody else";
  EXPECT_EQ(told(store.settle(forever, next, "value")), "success");
  EXPECT_EQ(kind(store.heartbeat(forever, lease, never)), "lease lost");
}

TEST(Basic, WhoeverLostTheLeaseCantSettle) {
  World world;
  LeaseStore store(world.connection());
  LeaseStore another(world.connection());
  set_up(store, {"one"});
  const auto zombie = must_claim(store, "slow");
  world.expire("one");
  const auto next = must_claim(another, "quick");
  EXPECT_EQ(kind(store.settle(forever, zombie, "of the zombie")), "lease lost")
      << "its lease ran out, and another worker has the promise now";
  EXPECT_EQ(kind(store.settle(forever, zombie, std::unexpected(Error{Errc::closed, ""}))),
            "lease lost");
  EXPECT_EQ(world.state("one"), "pending");
  EXPECT_EQ(told(another.settle(forever, next, "of the successor")), "success");
  EXPECT_EQ(kind(store.settle(forever, zombie, "of the zombie")), "lease lost");
  EXPECT_EQ(told(got(store, "one")), "the value \"of the successor\"");
}

TEST(Basic, ALeaseThatRanOutIsLostAlsoWhenNobodyTookOver) {
  World world;
  LeaseStore store(world.connection());
  set_up(store, {"one"});
  const auto late = must_claim(store);
  world.expire("one");
  EXPECT_EQ(kind(store.settle(forever, late, "late")), "lease lost");
  EXPECT_EQ(world.state("one"), "pending");
  EXPECT_EQ(told(store.settle(forever, must_claim(store), "in time")), "success");
}

TEST(Basic, AZombieOfTheSameNameIsStillAZombie) {
  World world;
  LeaseStore store(world.connection());
  set_up(store, {"one"});
  const auto zombie = must_claim(store, "worker 7");
  world.expire("one");
  const auto next = must_claim(store, "worker 7");  // started again, under its old name
  EXPECT_EQ(kind(store.heartbeat(forever, zombie, never)), "lease lost");
  EXPECT_EQ(kind(store.settle(forever, zombie, "old")), "lease lost")
      << "a name is no fence: the one who has it now is another";
  EXPECT_EQ(told(store.settle(forever, next, "new")), "success");
}

TEST(Basic, AZombieIsToldSoEvenIfItsValueIsTheOne) {
  World world;
  LeaseStore store(world.connection());
  set_up(store, {"one"});
  const auto zombie = must_claim(store);
  world.expire("one");
  EXPECT_EQ(told(store.settle(forever, must_claim(store), "value")), "success");
  EXPECT_EQ(kind(store.settle(forever, zombie, "value")), "lease lost")
      << "somebody else settled it; that the values are the same is an accident";
}

}  // namespace
}  // namespace leased_suite
