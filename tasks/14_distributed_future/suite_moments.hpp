// Between any two commands another process may do anything. Here it does, at each such moment in
// turn: the wire stops one command, the test plays the other process, the command goes on.
#pragma once

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "suite_support.hpp"
#include "suite_wire.hpp"

namespace distributed_suite {
namespace {

// What a winner leaves behind and what it says, in this header's own words.
struct Ending {
  std::optional<std::string> cached;
  std::vector<std::string> said;
};

// Lets the header compute once and writes down what it leaves; then all is as before.
Ending watch_ending(const std::string& key, Compute compute) {
  Other other(private_server());
  Listener listener(key, other);
  auto future = make(private_server());
  (void)future.get(forever, key, std::move(compute));
  Ending ending{other.cached(key), listener.heard()};
  other.forget(key);
  other.drop_lock(key);
  return ending;
}

// Ends as another process with the same header would, in one step.
void end_like(const Ending& ending, Other& other, const std::string& key) {
  other.tell({"MULTI"});
  if (ending.cached) other.tell({"SET", "fut-cache:" + key, *ending.cached, "PX", "600000"});
  other.tell({"DEL", "fut-lock:" + key});
  for (const auto& message : ending.said) other.tell({"PUBLISH", "fut-pub:" + key, message});
  other.tell({"EXEC"});
}

std::string before_command(int number) { return "before command " + std::to_string(number); }

// A waiter asks, and just before its n-th command the winner ends. For n = 1, 2, ... until the
// waiter has gone to sleep before its n-th command.
void end_at_each_moment(const std::string& key, const Ending& ending, milliseconds poll,
                        const std::function<void(const Result<std::string>&, int runs,
                                                 const std::string& when)>& check) {
  constexpr int most = 12;
  for (int n = 1; n <= most && !testing::Test::HasFailure(); ++n) {
    Other other(private_server());
    Other watcher(private_server());
    other.forget(key);
    other.take_lock(key);
    std::atomic<bool> over{false};
    std::atomic<int> count{0};
    const Wire wire(private_server(), [&](const Command&) {
      if (++count == n && !over.exchange(true)) end_like(ending, other, key);
      return Pass::on;
    });
    auto future = make(wire.endpoint(), {.poll = poll});
    std::atomic<int> runs{0};
    std::string when = before_command(n) + " of a waiter";
    {
      Caller waiter(future, key, returning("computed again", &runs));
      workbook::eventually([&] { return over.load(); }, 250ms);
      const bool asleep = !over.exchange(true);
      if (asleep) {
        end_like(ending, watcher, key);
        when = "after the waiter had gone to sleep";
      }
      EXPECT_TRUE(waiter.returns()) << "the winner ended just " << when << ", who did not notice";
      check(waiter.result(), runs, when);
      if (asleep) n = most;
    }
  }
}

TEST(Lifecycle, AWaiterGetsTheValueAtWhateverMomentItComes) {
  const auto key = fresh_key();
  const auto ending = watch_ending(key, returning("the winner's"));
  EXPECT_FALSE(ending.said.empty())
      << "a value was computed and stored, and nothing was published on fut-pub:KEY";
  for (const auto poll : {never, milliseconds(3)}) {
    end_at_each_moment(key, ending, poll,
                       [&](const Result<std::string>& result, int runs, const std::string& when) {
                         EXPECT_EQ(told(result), "the value \"the winner's\"")
                             << "the winner stored its value, told everybody and unlocked just "
                             << when << " of somebody who wants the same (poll_interval "
                             << poll.count() << " ms)";
                         EXPECT_EQ(runs, 0) << "the winner had stored its value just " << when
                                            << ", who then computed it again";
                       });
  }
}

TEST(Lifecycle, AValueMayEndAtWhateverMoment) {
  const auto key = fresh_key();
  const auto ending = watch_ending(key, returning("kept"));
  for (int n = 1; n <= 6 && !testing::Test::HasFailure(); ++n) {
    Other other(private_server());
    end_like(ending, other, key);
    std::atomic<int> count{0};
    const Wire wire(private_server(), [&](const Command&) {
      if (++count == n) other.forget(key);
      return Pass::on;
    });
    auto future = make(wire.endpoint());
    Caller caller(future, key, returning("computed again"));
    EXPECT_TRUE(caller.returns());
    const auto& result = caller.result();
    EXPECT_TRUE(result == "kept" || result == "computed again")
        << "value_ttl was over just " << before_command(n) << " of a caller, who got "
        << told(result);
    if (count < n) return;
  }
}

TEST(Lifecycle, AFailureIsNoticedAtWhateverMomentItComes) {
  const auto key = fresh_key();
  const auto ending = watch_ending(key, failing());
  ASSERT_FALSE(ending.cached) << "a failure must not be kept";
  end_at_each_moment(key, ending, never,
                     [&](const Result<std::string>& result, int, const std::string& when) {
                       EXPECT_TRUE(!result || result == "computed again")
                           << "the winner failed just " << when << ", who got " << told(result);
                       if (result) return;
                       EXPECT_NE(result.error().code, Errc::deadline_exceeded) << told(result);
                     });
}

TEST(Lifecycle, NoValueIsTakenForTheNewsOfAFailure) {
  const auto key = fresh_key();
  const auto failure = watch_ending(key, failing());
  for (const auto& value : failure.said) {
    auto one = make(private_server());
    auto another = make(private_server());
    Slow slow;
    Caller winner(one, key, slow.compute(value));
    ASSERT_TRUE(slow.begun.wait_for());
    Caller waiter(another, key, returning("computed again"));
    workbook::eventually([&] { return waiter.has_returned(); }, 30ms);  // lets it go to sleep
    slow.go_on.open();
    EXPECT_TRUE(waiter.returns());
    EXPECT_TRUE(waiter.result() == value)
        << "after a failure \"" << value << "\" is published. When that is a computed value, a "
        << "waiter gets " << told(waiter.result());
    winner.result();
    Other(private_server()).forget(key);
  }
}

// The winner is stopped before each of its commands, long enough for a waiter to look around and go
// back to sleep.
TEST(Lifecycle, AWaiterThatLooksInTheMiddleIsStillToldAtTheEnd) {
  for (const bool fails : {false, true}) {
    const auto key = fresh_key();
    std::atomic<bool> computed{false};
    std::atomic<bool> waiting{true};
    const Wire wire(private_server(), [&](const Command&) {
      if (computed) workbook::eventually([&] { return !waiting; }, 40ms);
      return Pass::on;
    });
    auto one = make(wire.endpoint());
    auto another = make(private_server());
    Slow slow;
    Result<std::string> outcome = "value";
    if (fails) outcome = std::unexpected(out_of_order);
    Caller winner(one, key, [&, inner = slow.compute(outcome)](const Context& context) mutable {
      auto result = inner(context);
      computed = true;
      return result;
    });
    ASSERT_TRUE(slow.begun.wait_for());
    std::atomic<int> runs{0};
    Caller waiter(another, key, returning("of the waiter", &runs));
    workbook::eventually([&] { return waiter.has_returned(); }, 30ms);  // lets it go to sleep
    slow.go_on.open();
    EXPECT_TRUE(waiter.returns())
        << "the winner " << (fails ? "failed" : "stored its value")
        << ", step by step: the waiter was woken before there was anything to see, and not again";
    waiting = false;
    if (!fails) {
      EXPECT_EQ(told(waiter.result()), "the value \"value\"");
      EXPECT_EQ(runs, 0) << "between two steps of the winner the key was neither locked nor cached";
    }
  }
}

TEST(Lifecycle, IfAProcessDiedBetweenTwoCommandsNothingWouldStayForEver) {
  for (const bool fails : {false, true}) {
    const auto key = fresh_key();
    Other other(private_server());
    Listener listener(key, other);
    std::atomic<bool> computed{false};
    std::mutex mutex;
    int number = 0;
    const auto look = [&](const std::string& when) {
      EXPECT_NE(other.ends_in("fut-lock:" + key), -1)
          << when << " the key is locked for ever: if the process died here, nobody could ever "
          << "compute this value again";
      EXPECT_NE(other.ends_in("fut-cache:" + key), -1)
          << when << " the value is kept for ever: if the process died here, it would never change";
      if (fails || !computed) return;
      const bool there = other.cached(key).has_value();
      EXPECT_TRUE(there || other.lock_of(key))
          << when << " the value is not stored, and the lock is gone: another process would now "
          << "compute it a second time";
      EXPECT_TRUE(there || listener.heard().empty())
          << when << " everybody was told of a value that is not there yet";
    };
    const Wire wire(private_server(), [&](const Command&) {
      const std::lock_guard lock(mutex);
      look(before_command(++number));
      return Pass::on;
    });
    auto future = make(wire.endpoint(), {.lock = 5min, .value = 5min});
    const auto result = future.get(forever, key, [&](const Context&) -> Result<std::string> {
      const std::lock_guard lock(mutex);
      computed = true;
      if (fails) return std::unexpected(out_of_order);
      return "value";
    });
    EXPECT_EQ(result.has_value(), !fails) << told(result);
    const std::lock_guard lock(mutex);
    look("at the end");
  }
}

// While the holder computes, or between two of its commands after that, its lock ends and another
// process takes it, computes and stores.
void lose_the_lock_at_each_moment(bool fails) {
  for (int n = 1; n <= 8 && !testing::Test::HasFailure(); ++n) {
    const auto key = fresh_key();
    Other thief(private_server());
    Listener listener(key, thief);
    std::atomic<bool> computed{false};
    std::atomic<bool> stolen{false};
    std::size_t said_before = 0;
    std::mutex mutex;
    int count = 0;
    const Wire wire(private_server(), [&](const Command&) {
      const std::lock_guard lock(mutex);
      if (!computed || ++count != n) return Pass::on;
      thief.take_lock(key, "the successor");
      thief.tell({"SET", "fut-cache:" + key, "of the successor", "PX", "600000"});
      said_before = listener.heard().size();
      stolen = true;
      return Pass::on;
    });
    auto future = make(wire.endpoint(), {.poll = 20ms});
    Caller late(future, key, [&](const Context&) -> Result<std::string> {
      computed = true;
      if (fails) return std::unexpected(out_of_order);
      return "of the late one";
    });
    EXPECT_TRUE(late.returns());
    const auto& result = late.result();
    const std::lock_guard lock(mutex);
    if (!stolen) return;  // it had nothing more to say
    const std::string when = "its lock ended " + before_command(n) +
                             " after computing, and a successor took it and stored its value; ";
    EXPECT_EQ(thief.cached(key), "of the successor")
        << when << "the late one stored its own over it";
    EXPECT_EQ(thief.lock_of(key), "the successor") << when << "the late one deleted its lock";
    if (!fails) {
      EXPECT_EQ(listener.heard().size(), said_before)
          << when << "the late one published all the same";
      EXPECT_TRUE(!result || result == "of the late one" || result == "of the successor")
          << when << "the late one returned " << told(result);
    } else {
      EXPECT_TRUE(!result || result == "of the successor") << told(result);
    }
  }
}

TEST(Lifecycle, AHolderThatLostItsLockNeitherStoresNorPublishes) {
  lose_the_lock_at_each_moment(false);
}

TEST(Lifecycle, AHolderThatLostItsLockAndFailedLeavesTheSuccessorAlone) {
  lose_the_lock_at_each_moment(true);
}

TEST(Lifecycle, ALateHolderDoesNotStoreWhileItsSuccessorComputes) {
  const auto key = fresh_key();
  Other other(private_server());
  Listener listener(key, other);
  const Wire wire(private_server(), [](const Command&) { return Pass::on; });
  auto future = make(wire.endpoint(), {.poll = 20ms});
  Slow slow;
  Caller late(future, key, slow.compute("of the late one"));
  ASSERT_TRUE(slow.begun.wait_for());
  other.take_lock(key, "the successor");
  const int before = wire.commands();
  slow.go_on.open();
  // It may return at once, or wait for what its successor computes.
  workbook::eventually([&] { return late.has_returned() || wire.commands() > before + 3; }, 2s);
  EXPECT_EQ(other.cached(key), std::nullopt)
      << "the lock is the successor's, who has not stored yet";
  EXPECT_EQ(other.lock_of(key), "the successor");
  EXPECT_TRUE(listener.heard().empty()) << "a late holder published";
  other.tell({"SET", "fut-cache:" + key, "of the successor", "PX", "600000"});
  other.drop_lock(key);
  EXPECT_TRUE(late.returns());
  EXPECT_EQ(other.cached(key), "of the successor");
}

// With the clock of the server, not by our hand. A version that renews its lock never loses it;
// then the second one waits for it.
TEST(Lifecycle, AComputationThatTakesLongerThanItsLockDoesNotWinInTheEnd) {
  const auto key = fresh_key();
  auto one = make(private_server(), {.lock = 40ms, .poll = 10ms});
  auto another = make(private_server(), {.poll = 10ms});
  Slow slow;
  Slow quick;
  Caller late(one, key, slow.compute("of the late one"));
  ASSERT_TRUE(slow.begun.wait_for());
  Caller second(another, key, quick.compute("of the second one"));
  quick.go_on.open();
  if (quick.begun.wait_for(1s)) {
    EXPECT_TRUE(second.returns());
  }
  slow.go_on.open();
  EXPECT_TRUE(late.returns());
  EXPECT_TRUE(second.returns()) << "the lock has ended, or a value was stored";
  const auto& result = second.result();
  EXPECT_TRUE(result == "of the second one" || result == "of the late one") << told(result);
  if (result) {
    EXPECT_EQ(Other(private_server()).cached(key), *result)
        << "the late one stored its value over its successor's";
  }
}

TEST(Lifecycle, AWinnerThatIsNeverHeardOfAgainIsReplaced) {
  const auto key = fresh_key();
  Other other(private_server());
  other.take_lock(key, "of a process that died", 60ms);
  auto future = make(private_server(), {.poll = 10ms});
  Caller caller(future, key, returning("taken over"));
  EXPECT_TRUE(caller.returns()) << "the lock ended, nobody said a word, and nobody took over";
  EXPECT_EQ(told(caller.result()), "the value \"taken over\"");
}

TEST(Lifecycle, ALostRaceForTheLockLeavesNothingBehind) {
  const auto key = fresh_key();
  Other other(private_server());
  other.take_lock(key);
  std::mutex mutex;
  bool over = false;
  // Whenever the waiter looks at the lock, it is gone; whenever it tries to take it, it is taken.
  const Wire wire(private_server(), [&](const Command& command) {
    const std::lock_guard lock(mutex);
    if (over || !command.mentions("fut-lock:" + key)) return Pass::on;
    if (command.only_looks()) {
      other.drop_lock(key);
    } else {
      other.take_lock(key);
    }
    return Pass::on;
  });
  Other counting(private_server());
  const int before = counting.connections();
  auto future = make(wire.endpoint(), {.poll = 1ms});
  Caller waiter(future, key, returning("mine"));
  EXPECT_TRUE(eventually([&] { return wire.commands() > 80 || waiter.has_returned(); }));
  EXPECT_LE(counting.connections() - before, 12)
      << "connections that one waiting caller has open, after its lock was snatched away many "
         "times: each new attempt keeps those of the ones before it";
  {
    const std::lock_guard lock(mutex);
    over = true;
    other.drop_lock(key);
  }
  EXPECT_TRUE(waiter.returns());
  EXPECT_EQ(told(waiter.result()), "the value \"mine\"");
}

// A waiter's subscription is cut; while it listens anew, or just before or after, the winner ends.
TEST(Lifecycle, NewsThatComeWhileAWaiterListensAnewAreNotMissed) {
  const workbook::RedisServer server;
  const auto key = fresh_key();
  const auto ending = watch_ending(key, returning("the winner's"));
  for (int n = 1; n <= 6 && !testing::Test::HasFailure(); ++n) {
    Other other(server.endpoint());
    Other watcher(server.endpoint());
    other.forget(key);
    other.take_lock(key);
    std::atomic<bool> cut{false};
    std::atomic<bool> over{false};
    std::atomic<int> count{0};
    const Wire wire(server.endpoint(), [&](const Command&) {
      if (cut && ++count == n && !over.exchange(true)) end_like(ending, other, key);
      return Pass::on;
    });
    auto future = make(wire.endpoint(), {.poll = 50ms});  // to poll is a way to recover
    std::atomic<int> runs{0};
    Caller waiter(future, key, returning("computed again", &runs));
    const auto listening = [&] { return watcher.is_listened_to(key); };
    workbook::eventually(listening, 200ms);                             // it may have no need to
    workbook::eventually([&] { return waiter.has_returned(); }, 20ms);  // lets it look, and sleep
    cut = true;
    watcher.tell({"CLIENT", "KILL", "TYPE", "pubsub"});
    workbook::eventually([&] { return over.load(); }, 250ms);
    const bool asleep = !over.exchange(true);
    if (asleep) end_like(ending, watcher, key);
    EXPECT_TRUE(waiter.returns())
        << "a waiter's subscription broke, and the winner stored its value just "
        << (asleep ? "after" : before_command(n) + " of")
        << " the waiter's recovery: nobody told it, and it did not look";
    const auto& result = waiter.result();
    EXPECT_TRUE(!result || result == "the winner's") << told(result);
    EXPECT_EQ(runs, 0);
    if (asleep) return;
  }
}

// Each command of a call in turn gets lost, or is carried out and its answer is lost.
TEST(Lifecycle, AConnectionThatBreaksAtAnyCommandBlocksNobody) {
  for (const auto how : {Pass::not_at_all, Pass::only_there}) {
    for (int n = 1; n <= 8 && !testing::Test::HasFailure(); ++n) {
      const auto key = fresh_key();
      std::mutex mutex;
      int count = 0;
      std::string what;  // empty: it never came to a command n
      const Wire wire(private_server(), [&](const Command& command) {
        const std::lock_guard lock(mutex);
        if (++count != n) return Pass::on;
        what = command.name();
        return how;
      });
      auto cut = make(wire.endpoint(), {.lock = 40ms, .poll = 10ms});
      std::atomic<int> runs{0};
      Caller first(cut, key, returning("of the first", &runs));
      EXPECT_TRUE(first.returns());
      const auto& result = first.result();
      std::string when = "its connection broke at command " + std::to_string(n);
      {
        const std::lock_guard lock(mutex);
        if (what.empty()) break;
        when += " (" + what + (how == Pass::only_there ? ", which was carried out): " : "): ");
      }
      EXPECT_TRUE(!result || result == "of the first") << when << told(result);
      if (!result) EXPECT_FALSE(result.error().message.empty()) << when;
      EXPECT_LE(runs, 1) << when << "one call of get() computed more than once";
      auto whole = make(private_server(), {.poll = 10ms});
      Caller second(whole, key, returning("of the second"));
      EXPECT_TRUE(second.returns()) << when << "after that nobody gets a value any more";
      EXPECT_TRUE(second.result() == "of the first" || second.result() == "of the second")
          << when << "the next caller got " << told(second.result());
    }
  }
}

}  // namespace
}  // namespace distributed_suite
