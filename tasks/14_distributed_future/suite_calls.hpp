// One process, one server, and what a call of get() owes to its caller, to others and to the
// server.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "suite_support.hpp"

namespace distributed_suite {
namespace {

TEST(Lifecycle, ValuesMayBeEmptyOrHoldAnyByte) {
  auto winner = make(shared_server());
  auto waiter = make(shared_server());
  std::string every_byte;
  for (int i = 0; i < 512; ++i) every_byte += static_cast<char>(i);
  for (const std::string& value : {""s, "\0"s, "a\0b"s, "0"s, "nil"s, "OK"s, every_byte}) {
    const auto key = fresh_key();
    Slow slow;
    std::atomic<int> runs{0};
    Caller computes(winner, key, slow.compute(value));
    ASSERT_TRUE(slow.begun.wait_for());
    Caller waits(waiter, key, returning("another one", &runs));
    slow.go_on.open();
    EXPECT_TRUE(computes.result() == value) << told(value) << " became " << told(computes.result());
    EXPECT_TRUE(waits.result() == value)
        << "on its way to a waiter " << told(value) << " became " << told(waits.result());
    const auto again = winner.get(forever, key, returning("another one", &runs));
    EXPECT_TRUE(again == value) << told(value) << " was kept as " << told(again);
    EXPECT_EQ(runs, 0) << told(value) << " was there, and something was computed";
  }
}

// On a machine that is busy, so many bytes may take longer than somebody waits for the server: then
// there is an error, or another computation.
TEST(Lifecycle, AValueOfEightMegabytesArrivesWhole) {
  constexpr bool is_slow = workbook::flavour() == workbook::Flavour::thread;
  const auto key = fresh_key();
  auto winner = make(shared_server(), {.lock = 5s, .poll = 10ms});
  auto waiter = make(shared_server(), {.lock = 5s, .poll = 10ms});
  std::string value(std::size_t{is_slow ? 1 : 8} << 20, '\0');
  for (std::size_t i = 0; i < value.size(); i += 4001) value[i] = static_cast<char>(i);
  const auto is_whole = [&value](const Result<std::string>& result) -> testing::AssertionResult {
    if (!result || *result == value) return testing::AssertionSuccess();
    return testing::AssertionFailure() << "another value: " << told(result);
  };
  Slow slow;
  workbook::Patience long_enough{8 * workbook::patience};
  {
    Caller computes(winner, key, slow.compute(value), long_enough);
    ASSERT_TRUE(slow.begun.wait_for());
    Caller waits(waiter, key, returning(value), long_enough);
    slow.go_on.open();
    EXPECT_TRUE(is_whole(computes.result()));
    EXPECT_TRUE(is_whole(waits.result()));
  }
  std::atomic<int> runs{0};
  Result<std::string> kept;
  EXPECT_TRUE(eventually([&] {
    runs = 0;
    kept = waiter.get(forever, key, returning(value, &runs));
    return kept && runs == 0;
  })) << "it is computed, and never kept: "
      << told(kept);
  EXPECT_TRUE(is_whole(kept));
  Other().forget(key);
}

TEST(Lifecycle, KeysMayHoldAnyByteAndAreNotMistakenForOneAnother) {
  const auto stem = fresh_key();
  auto future = make(shared_server());
  const std::vector<std::string> endings{"",       "a", "a\0"s, "a\0b"s, "a b",
                                         "a\r\nb", "*", "[a]",  "%s"};
  for (const auto& ending : endings) {
    EXPECT_TRUE(future.get(forever, stem + ending, returning("of " + ending)) == "of " + ending);
  }
  for (const auto& ending : endings) {
    const auto again = future.get(forever, stem + ending, returning("computed again"));
    EXPECT_TRUE(again == "of " + ending) << told("of " + ending) << " became " << told(again);
  }
}

TEST(Lifecycle, AWaiterHearsNothingOfOtherKeys) {
  const auto stem = fresh_key();
  auto future = make(shared_server());
  for (const std::string mine : {"", "*", "a"}) {
    Slow slow;
    Caller winner(future, stem + mine, slow.compute("mine"));
    ASSERT_TRUE(slow.begun.wait_for());
    Caller waiter(future, stem + mine, returning("computed again"));
    workbook::eventually([&] { return waiter.has_returned(); }, 15ms);  // lets it go to sleep
    EXPECT_TRUE(future.get(forever, stem + mine + "b", returning("another's")));
    EXPECT_FALSE(future.get(forever, stem + mine + "c", failing()));
    EXPECT_FALSE(workbook::eventually([&] { return waiter.has_returned(); }, 15ms))
        << "its key is still being computed, and a waiter has returned " << told(waiter.result());
    slow.go_on.open();
    EXPECT_EQ(told(waiter.result()), "the value \"mine\"");
  }
}

TEST(Lifecycle, AFailureIsNotKeptAndNeitherIsTheLock) {
  const auto key = fresh_key();
  auto future = make(shared_server());
  ASSERT_FALSE(future.get(forever, key, failing()));
  Other other;
  EXPECT_FALSE(other.cached(key)) << "a failure must not be kept";
  ASSERT_TRUE(eventually([&] { return !other.lock_of(key); })) << "it failed, and holds the lock";
  EXPECT_EQ(told(future.get(forever, key, returning("now it works"))),
            "the value \"now it works\"");
}

TEST(Lifecycle, WhateverTheErrorOfAFailureTheLockIsGivenBack) {
  auto future = make(shared_server());
  Other other;
  for (const Error& error : workbook::errors_of_all_kinds()) {
    const auto key = fresh_key();
    const auto result = future.get(forever, key, [&](const Context&) -> Result<std::string> {
      return std::unexpected(error);
    });
    ASSERT_FALSE(result) << testing::PrintToString(error);
    EXPECT_EQ(result.error().code, error.code);
    EXPECT_TRUE(eventually([&] { return !other.lock_of(key); }))
        << "it failed with " << testing::PrintToString(error) << ", and holds the lock";
  }
}

TEST(Lifecycle, AnExceptionIsAFailure) {
  const auto key = fresh_key();
  auto future = make(shared_server());
  Result<std::string> thrown;
  ASSERT_NO_THROW(thrown = future.get(forever, key, [](const Context&) -> Result<std::string> {
    throw std::runtime_error("out of cheese");
  }));
  ASSERT_FALSE(thrown) << told(thrown);
  EXPECT_EQ(thrown.error().code, Errc::exception) << told(thrown);
  EXPECT_NE(thrown.error().message.find("out of cheese"), std::string::npos)
      << "what() of the exception should be in the message: " << thrown.error().message;
  Other other;
  EXPECT_TRUE(eventually([&] { return !other.lock_of(key); })) << "it threw, and holds the lock";
}

TEST(Lifecycle, AValueThatIsThereNeedsNoLock) {
  const auto key = fresh_key();
  auto future = make(shared_server());
  ASSERT_TRUE(future.get(forever, key, returning("kept")));
  Other other;
  other.take_lock(key);
  Caller caller(future, key, returning("computed"));
  EXPECT_TRUE(caller.returns()) << "the value is in the cache; nobody has to wait for the lock";
  EXPECT_EQ(told(caller.result()), "the value \"kept\"");
}

TEST(Lifecycle, TheComputationSeesTheCallersContext) {
  auto source = with_cancel(forever);
  auto future = make(shared_server());
  const auto result =
      future.get(source.context(), fresh_key(), [&](const Context& context) -> Result<std::string> {
        EXPECT_FALSE(context.done());
        source.cancel();
        EXPECT_TRUE(eventually([&] { return context.done(); }))
            << "the caller has cancelled, and compute is not told";
        return std::unexpected(context.error().value_or(out_of_order));
      });
  ASSERT_FALSE(result) << told(result);
  EXPECT_EQ(result.error().code, Errc::cancelled) << told(result);
}

TEST(Lifecycle, AWaiterThatLeavesLeavesTheLockAlone) {
  const auto key = fresh_key();
  Other other;
  other.take_lock(key);
  auto future = make(shared_server());
  const auto shortly = with_timeout(forever, 20ms);
  EXPECT_FALSE(future.get(shortly.context(), key, returning("mine")));
  EXPECT_EQ(other.lock_of(key), "somebody else") << "that was the lock of another process";
}

TEST(Lifecycle, WhateverIsThrownIsAFailure) {
  const auto key = fresh_key();
  auto future = make(shared_server());
  Result<std::string> thrown;
  ASSERT_NO_THROW(thrown = future.get(forever, key, [](const Context&) -> Result<std::string> {
    throw 42;
  })) << "42 is no std::exception, and must become an error all the same";
  ASSERT_FALSE(thrown) << told(thrown);
  EXPECT_EQ(thrown.error().code, Errc::exception) << told(thrown);
  Other other;
  EXPECT_TRUE(eventually([&] { return !other.lock_of(key); })) << "it threw, and holds the lock";
}

TEST(Lifecycle, DifferentKeysAreComputedAtTheSameTime) {
  auto future = make(shared_server());
  Slow slow;
  Caller first(future, fresh_key(), slow.compute("slow"));
  ASSERT_TRUE(slow.begun.wait_for());
  Caller second(future, fresh_key(), returning("quick"));
  EXPECT_TRUE(second.returns()) << "one key waits until another one has been computed";
  slow.go_on.open();
  EXPECT_EQ(told(first.result()), "the value \"slow\"");
  EXPECT_EQ(told(second.result()), "the value \"quick\"");
}

TEST(Lifecycle, AComputationMayAskForAnotherKey) {
  auto future = make(shared_server());
  const auto part = fresh_key("part");
  const auto nested = [&](const Context& context) -> Result<std::string> {
    auto inner = future.get(context, part, returning("part"));
    if (!inner) return inner;
    return "whole of " + *inner;
  };
  Caller caller(future, fresh_key("whole"), nested);
  EXPECT_TRUE(caller.returns()) << "compute asked the same DistributedFuture for another key";
  EXPECT_EQ(told(caller.result()), "the value \"whole of part\"");
}

// However deep: a call that waits for a free place here waits for those that wait for it.
TEST(Lifecycle, AComputationMayAskForAnotherKeyAHundredTimesOver) {
  auto future = make(shared_server());
  std::vector<std::string> keys;
  for (int i = 0; i < 100; ++i) keys.push_back(fresh_key());
  std::function<Result<std::string>(const Context&, std::size_t)> ask = [&](const Context& context,
                                                                            std::size_t depth) {
    return future.get(context, keys[depth],
                      [&, depth](const Context& inner) -> Result<std::string> {
                        if (depth + 1 == keys.size()) return "the last";
                        return ask(inner, depth + 1);
                      });
  };
  workbook::Caller<std::string> caller(patience, [&](const Context& c) { return ask(c, 0); });
  EXPECT_TRUE(caller.returns()) << "each compute asked the same DistributedFuture for another key; "
                                   "is there a limit to how many may compute at the same time?";
  EXPECT_EQ(told(caller.result()), "the value \"the last\"");
}

TEST(Lifecycle, ACancellationDuringTheComputationLeavesNoLock) {
  const auto key = fresh_key();
  auto source = with_cancel(forever);
  auto future = make(shared_server());
  const auto result =
      future.get(source.context(), key, [&](const Context& context) -> Result<std::string> {
        source.cancel();
        if (!eventually([&] { return context.done(); })) return "never told";
        return std::unexpected(*context.error());
      });
  ASSERT_FALSE(result) << told(result);
  EXPECT_EQ(result.error().code, Errc::cancelled);
  Other other;
  EXPECT_TRUE(eventually([&] { return !other.lock_of(key); }))
      << "the caller has cancelled, its computation has stopped, and fut-lock:KEY is kept until "
         "its "
         "time is over: nobody can compute this value until then";
}

TEST(Lifecycle, ADeadlineDuringTheComputationLeavesNoLock) {
  auto future = make(shared_server());
  Other other;
  std::string key;
  std::atomic<bool> begun{false};
  // On a busy machine the deadline may be over before the computation has begun.
  for (auto time = 5ms; !begun && time < 10s; time *= 4) {
    key = fresh_key();
    const auto source = with_timeout(forever, time);
    const auto result =
        future.get(source.context(), key, [&](const Context& context) -> Result<std::string> {
          begun = true;
          if (!eventually([&] { return context.done(); })) return "never told";
          return std::unexpected(*context.error());
        });
    ASSERT_FALSE(result) << told(result);
    EXPECT_EQ(result.error().code, Errc::deadline_exceeded);
  }
  EXPECT_TRUE(begun);
  EXPECT_TRUE(eventually([&] { return !other.lock_of(key); }))
      << "the caller's deadline is over, its computation has stopped, and fut-lock:KEY is kept "
         "until "
         "its time is over, too";
}

TEST(Lifecycle, WorkThatIsDoneIsNotThrownAway) {
  const auto key = fresh_key();
  auto source = with_cancel(forever);
  auto future = make(shared_server());
  const auto result = future.get(source.context(), key, [&](const Context&) -> Result<std::string> {
    source.cancel();
    return "done all the same";
  });
  EXPECT_EQ(told(result), "the value \"done all the same\"")
      << "the context ended while compute was at work, but its value is there";
  Other other;
  EXPECT_TRUE(eventually([&] { return !other.lock_of(key); }));
}

TEST(Lifecycle, ACallerThatLeavesDisturbsNobody) {
  const auto key = fresh_key();
  auto future = make(shared_server());
  Slow slow;
  Caller winner(future, key, slow.compute("value"));
  ASSERT_TRUE(slow.begun.wait_for());
  Caller stays(future, key, returning("of the waiter"));
  {
    Caller leaves(future, key, returning("of the waiter"));
    leaves.cancel();
    EXPECT_TRUE(leaves.returns());
    EXPECT_FALSE(leaves.result()) << told(leaves.result());
  }
  slow.go_on.open();
  EXPECT_EQ(told(winner.result()), "the value \"value\"");
  EXPECT_EQ(told(stays.result()), "the value \"value\"");
}

// As above, but it has waited for a while: long enough to have become the one that listens, where
// callers of one object share a subscription.
TEST(Lifecycle, AWaiterThatLeavesHandsOnWhatItDidForTheOthers) {
  for (const bool first_leaves : {true, false}) {
    const auto key = fresh_key();
    auto elsewhere = make(shared_server());
    auto future = make(shared_server());
    Slow slow;
    Caller winner(elsewhere, key, slow.compute("value"));
    ASSERT_TRUE(slow.begun.wait_for());
    Other watcher;
    const auto lets_it_listen = [&] {
      // It may have no need to.
      (void)workbook::eventually([&] { return watcher.is_listened_to(key); }, 200ms);
      (void)workbook::eventually([] { return false; }, 20ms);
    };
    Caller first(future, key, returning("of the waiter"));
    lets_it_listen();
    Caller second(future, key, returning("of the waiter"));
    lets_it_listen();
    auto& leaves = first_leaves ? first : second;
    auto& stays = first_leaves ? second : first;
    leaves.cancel();
    EXPECT_TRUE(leaves.returns());
    slow.go_on.open();
    EXPECT_TRUE(stays.returns()) << "a waiter has left, and the one that came "
                                 << (first_leaves ? "after" : "before")
                                 << " it misses the news (poll_interval is ten minutes here)";
    EXPECT_EQ(told(stays.result()), "the value \"value\"");
    EXPECT_EQ(told(winner.result()), "the value \"value\"");
  }
}

TEST(Lifecycle, AFailureWakesTheWaiters) {
  for (const bool throws : {false, true}) {
    const auto key = fresh_key();
    auto one = make(shared_server());
    auto another = make(shared_server());
    Gate begun;
    Gate go_on;
    std::atomic<int> runs{0};
    Caller winner(one, key, [&](const Context&) -> Result<std::string> {
      begun.open();
      (void)go_on.wait_for();
      if (throws) throw std::runtime_error("no");
      return std::unexpected(out_of_order);
    });
    ASSERT_TRUE(begun.wait_for());
    Caller waiter(another, key, returning("of the waiter", &runs));
    Caller neighbour(one, key, returning("of the waiter", &runs));
    workbook::eventually([&] { return waiter.has_returned(); }, 30ms);  // lets them go to sleep
    go_on.open();
    EXPECT_FALSE(winner.result()) << told(winner.result());
    for (auto* one_of_them : {&waiter, &neighbour}) {
      EXPECT_TRUE(one_of_them->returns())
          << "the computation " << (throws ? "threw" : "failed")
          << ", and those who waited for it were not told: they sleep until the next poll, "
             "and poll_interval is ten minutes here";
      const auto& result = one_of_them->result();
      EXPECT_TRUE(!result || result == "of the waiter")
          << "the computation failed, and a waiter got " << told(result);
    }
    EXPECT_LE(runs, 1) << "both waiters computed, one at the side of the other";
  }
}

TEST(Lifecycle, WhenGetHasReturnedNothingOfItIsLeft) {
  Other other;
  const int before = other.connections();
  {
    auto future = make(shared_server());
    const auto key = fresh_key();
    const workbook::Tracked tracked(1);
    EXPECT_TRUE(future.get(forever, key, [tracked](const Context&) { return "value"s; }));
    EXPECT_TRUE(future.get(forever, key, [tracked](const Context&) { return "value"s; }));
    EXPECT_FALSE(future.get(forever, fresh_key(), failing()));
    const auto held = fresh_key();
    other.take_lock(held);
    const auto shortly = with_timeout(forever, 10ms);
    EXPECT_FALSE(
        future.get(shortly.context(), held, [tracked](const Context&) { return "value"s; }));
    EXPECT_TRUE(eventually([] { return workbook::Tracked::live() == 1; }))
        << "get() has returned and compute's captures are still kept";
    other.drop_lock(held);
  }
  // The learner's own server may serve others as well.
  if (std::getenv("REDIS_URL") != nullptr) return;
  EXPECT_TRUE(eventually([&] { return other.connections() <= before; }))
      << "the DistributedFuture is gone, and " << other.connections() - before
      << " of its connections are still open";
}

TEST(Lifecycle, TheFutureMayGoAsSoonAsGetHasReturned) {
  Other other;
  for (int i = 0; i < 5; ++i) {
    const auto key = fresh_key();
    other.take_lock(key);
    {
      auto future = make(shared_server(), {.poll = 1ms});
      const auto shortly = with_timeout(forever, milliseconds(2 * i));
      EXPECT_FALSE(future.get(shortly.context(), key, returning("mine")));
    }
    const auto another_key = fresh_key();
    auto source = with_cancel(forever);
    {
      auto future = make(shared_server());
      (void)future.get(source.context(), another_key, [&](const Context&) -> Result<std::string> {
        source.cancel();
        return std::unexpected(out_of_order);
      });
    }
    EXPECT_TRUE(eventually([&] { return !other.lock_of(another_key); }))
        << "the future went with the lock in its pocket";
  }
}

TEST(Lifecycle, NoTwoLocksHaveTheSameToken) {
  auto one = make(shared_server());
  auto another = make(shared_server());
  Other other;
  std::vector<std::string> tokens;
  const auto look = [&](DistributedFuture& future) {
    const auto key = fresh_key();
    EXPECT_TRUE(future.get(forever, key, [&](const Context&) -> Result<std::string> {
      tokens.push_back(other.lock_of(key).value_or("no lock"));
      return "value";
    }));
  };
  look(one);
  look(one);
  look(another);
  EXPECT_NE(tokens[0], tokens[1])
      << "two calls on one object: a late one takes the other's lock for its own";
  EXPECT_NE(tokens[0], tokens[2]) << "two objects: the late one deletes the other's lock";
  EXPECT_NE(tokens[1], tokens[2]);
}

TEST(Stress, WinnersOfTheSameMomentHaveDifferentTokens) {
  struct State {
    std::string stem = fresh_key("twins");
    std::array<std::string, 2> tokens;
  };
  auto future = make(shared_server());
  std::array<Other, 2> others;
  workbook::stress_on(
      2, workbook::rounds(300), [] { return std::make_unique<State>(); },
      [&](auto& state, std::size_t thread) {
        const auto key = state->stem + std::to_string(thread);
        const auto result = future.get(forever, key, [&](const Context&) -> Result<std::string> {
          state->tokens.at(thread) = others.at(thread).lock_of(key).value_or("no lock");
          return "value";
        });
        EXPECT_EQ(told(result), "the value \"value\"");
      },
      [](auto& state) {
        EXPECT_NE(state->tokens[0], state->tokens[1])
            << "two threads drew the same token at the same moment: with one key for both, the one "
               "that lost would take the other's lock for its own";
      });
}

TEST(Stress, ManyThreadsOnOneFutureComputeOnce) {
  struct State {
    std::string key = fresh_key("crowd");
    std::atomic<int> runs{0};
    DistributedFuture future = make(shared_server());
  };
  workbook::stress_on(
      8, workbook::rounds(25), [] { return std::make_unique<State>(); },
      [](auto& state, std::size_t) {
        const auto limit = with_timeout(forever, patience());
        const auto result =
            state->future.get(limit.context(), state->key, returning("value", &state->runs));
        EXPECT_EQ(told(result), "the value \"value\"");
      },
      [](auto& state) { EXPECT_EQ(state->runs, 1) << "runs of compute for one key"; });
}

TEST(Stress, ManyThreadsWithManyKeysGetTheirOwnValues) {
  auto future = make(shared_server());
  const auto stem = fresh_key("many");
  workbook::stress(6, workbook::rounds(25), [&](std::size_t thread, std::size_t round) {
    const auto limit = with_timeout(forever, patience());
    const auto own = std::to_string(thread % 3) + "." + std::to_string(round);
    const auto result = future.get(limit.context(), stem + own, returning("value of " + own));
    EXPECT_EQ(told(result), "the value \"value of " + own + '"');
  });
}

}  // namespace
}  // namespace distributed_suite
