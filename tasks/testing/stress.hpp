// Many threads at once, many times over: what shows a race that a single run would not.
//
//   workbook::stress_on(
//       8, workbook::rounds(200),
//       [] { return Account(); },                                      // fresh for each round
//       [](Account& account, std::size_t) { account.deposit(1); },     // on 8 threads at once
//       [](Account& account) { EXPECT_EQ(account.balance(), 8); });    // after all have finished
#pragma once

#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <gtest/gtest.h>
#include <source_location>
#include <string>
#include <utility>

#include "failures.hpp"
#include "flavour.hpp"
#include "report.hpp"
#include "team.hpp"

namespace workbook {

namespace detail {

// The rounds of one stress: starts the team, labels failures with the round, stops after the first
// round that has one.
class Rounds {
 public:
  Rounds(std::size_t threads, std::size_t rounds, std::source_location where)
      : where_(where), threads_(threads), rounds_(rounds), team_(threads) {
    report::rounds_begun = 0;
    report::rounds_total = rounds;
    report::stress_threads = threads;
    if (team_.size() < threads) refuse();
  }
  Rounds(const Rounds&) = delete;
  Rounds& operator=(const Rounds&) = delete;
  ~Rounds() { report::rounds_total = 0; }

  // False when all rounds are done or one has failed.
  bool next() {
    if (begun_ == rounds_ || team_.size() < threads_ || failed()) return false;
    report::rounds_begun = ++begun_;
    report::stress_rounds.fetch_add(1, std::memory_order_relaxed);
    return true;
  }

  std::size_t round() const { return begun_ - 1; }

  void run(const std::function<void(std::size_t)>& body) {
    team_.run(round(), [&](std::size_t thread) {
      report::stress_thread = thread;
      guard([&] { body(thread); });
      report::stress_thread = report::no_thread;
    });
  }

  // Calls part of a test; an exception that leaves it is a failure of this round.
  template <std::invocable Part>
  void guard(Part&& part) {
    try {
      part();
    } catch (const std::exception& e) {
      fail(e.what());
    } catch (...) {
      fail("something that is not a std::exception");
    }
  }

  bool failed() const { return failures_so_far() > failures_before_; }

 private:
  void fail(const std::string& what) const {
    const bool unwritten = what.starts_with("not implemented yet");
    ADD_FAILURE_AT(where_.file_name(), static_cast<int>(where_.line()))
        << (unwritten ? "" : "an exception left the stress: ") << what;
  }

  void refuse() {
    const auto reason = "this machine refuses more threads: " + std::to_string(team_.size()) +
                        " of " + std::to_string(threads_) + " could be started (" +
                        team_.refusal() + ")";
    inconclusive(reason);
    ADD_FAILURE_AT(where_.file_name(), static_cast<int>(where_.line())) << reason;
  }

  std::source_location where_;
  std::size_t threads_;
  std::size_t rounds_;
  std::size_t begun_ = 0;
  int failures_before_ = failures_so_far();
  Team team_;
};

}  // namespace detail

// Calls body(thread, round) on `threads` threads at once, `rounds` times; both count from 0. In
// each round all threads are released together, and the next one starts when all have returned.
//
// Expectations inside body may fail on any thread; an exception that leaves it is a failure, too.
// The message names round and thread, and the first round with a failure is the last one. What body
// refers to must outlive the call, no more. Not to be called from inside a body.
template <class Body>
  requires std::invocable<Body&, std::size_t, std::size_t>
void stress(std::size_t threads, std::size_t rounds, Body body,
            std::source_location where = std::source_location::current()) {
  detail::Rounds all(threads, rounds, where);
  while (all.next()) {
    all.run([&](std::size_t thread) { body(thread, all.round()); });
  }
}

// The same, on a state of its own for each round: make() -> S on the calling thread, then
// body(S&, thread) on all threads at once, then check(S&) on the calling thread when all have
// returned. S need not be movable and is destroyed before the next round. check is left out when
// body has failed already.
template <class MakeState, class Body, class Check>
void stress_on(std::size_t threads, std::size_t rounds, MakeState make, Body body, Check check,
               std::source_location where = std::source_location::current()) {
  detail::Rounds all(threads, rounds, where);
  while (all.next()) {
    all.guard([&] {
      auto state = make();
      all.run([&](std::size_t thread) { body(state, thread); });
      if (!all.failed()) check(state);
    });
  }
}

}  // namespace workbook
