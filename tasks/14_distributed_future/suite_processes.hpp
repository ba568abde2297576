// Real processes, and kill -9.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "suite_support.hpp"

namespace distributed_suite {
namespace {

constexpr bool has_all_the_time = workbook::flavour() == workbook::Flavour::plain;

// The server of this run, for a process that was started by the suite: its address is an argument.
RedisEndpoint endpoint_from(const std::string& text) {
  return RedisEndpoint::parse(text).value_or(RedisEndpoint{});
}

// Gets many keys; says which ones it computed, and what it got.
WORKBOOK_ROLE(get_many_keys) {
  auto future = make(endpoint_from(arguments[0]));
  const int keys = std::stoi(arguments[2]);
  std::random_device random;
  for (int i = 0; i < keys; ++i) {
    const auto number = std::to_string(i);
    const auto result =
        future.get(forever, arguments[1] + number, [&](const Context&) -> Result<std::string> {
          workbook::tell("computed " + number);
          return number + "-" + std::to_string(random());
        });
    workbook::tell("got " + number + " " + told(result));
  }
  return 0;
}

TEST(Stress, EightProcessesComputeEachOfAHundredKeysOnce) {
  (void)make(shared_server());  // when this is not written yet, no process need be started
  const int processes = has_all_the_time ? 8 : 3;
  const int keys = has_all_the_time ? 100 : 20;
  std::vector<workbook::Child> children;
  const std::vector<std::string> arguments{shared_server().text(), fresh_key("many"),
                                           std::to_string(keys)};
  for (int i = 0; i < processes; ++i) children.emplace_back("get_many_keys", arguments);
  std::map<std::string, int> computed;
  std::map<std::string, std::set<std::string>> got;
  int answers = 0;
  for (auto& child : children) {
    while (const auto line = child.line()) {
      const auto space = line->find(' ', 4);
      if (line->starts_with("computed ")) ++computed[line->substr(9)];
      if (line->starts_with("got ")) {
        got[line->substr(4, space - 4)].insert(line->substr(space + 1));
        ++answers;
      }
    }
    EXPECT_EQ(child.wait(), 0) << "a process ended before its time";
  }
  EXPECT_EQ(answers, processes * keys);
  for (const auto& [key, times] : computed) {
    ASSERT_EQ(times, 1) << "times that key " << key << " was computed by " << processes
                        << " processes";
  }
  for (const auto& [key, values] : got) {
    ASSERT_EQ(values.size(), 1U) << "key " << key << ": one process got " << *values.begin()
                                 << ", another one " << *values.rbegin();
    ASSERT_TRUE(values.begin()->starts_with("the value \"" + key + "-"))
        << "key " << key << ": " << *values.begin();
  }
}

// Gets one key, and says when it has begun to compute it.
WORKBOOK_ROLE(compute_for_a_while) {
  auto future = make(endpoint_from(arguments[0]), {.lock = milliseconds(std::stoi(arguments[3]))});
  const auto result =
      future.get(forever, arguments[1], [&](const Context& context) -> Result<std::string> {
        workbook::tell("begun");
        context.sleep_for(std::chrono::microseconds(std::stoi(arguments[2])));
        return "of the killed one";
      });
  workbook::tell(told(result));
  return 0;
}

// Some are killed while they start, some while they compute, some when they have just stored.
TEST(Stress, WinnersKilledAtAnyMomentAreReplaced) {
  const std::size_t kills = has_all_the_time ? 50 : 8;
  const std::string lock_ttl = has_all_the_time ? "250" : "600";
  struct Victim {
    std::string key = fresh_key("victim");
    std::atomic<int> runs{0};
    std::unique_ptr<workbook::Child> winner;
    std::vector<std::unique_ptr<Caller>> waiters;
  };
  auto one = make(shared_server(), {.poll = 10ms});
  auto another = make(shared_server(), {.poll = 10ms});
  std::mt19937 random(static_cast<unsigned>(workbook::report::seed.load()));
  std::vector<std::unique_ptr<Victim>> victims;
  for (std::size_t i = 0; i < kills; ++i) {
    auto& victim = *victims.emplace_back(std::make_unique<Victim>());
    const auto computes_for = std::to_string(i % 5 == 0 ? 0 : 60'000'000);  // microseconds
    victim.winner = std::make_unique<workbook::Child>(
        "compute_for_a_while",
        std::vector<std::string>{shared_server().text(), victim.key, computes_for, lock_ttl});
    if (i % 3 != 0) (void)victim.winner->line();  // it has begun
    for (auto* future : {&one, &another}) {
      victim.waiters.push_back(std::make_unique<Caller>(
          *future, victim.key, returning("of waiter " + std::to_string(i), &victim.runs)));
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));
    victim.winner->kill();
  }
  for (std::size_t i = 0; i < kills; ++i) {
    auto& victim = *victims[i];
    const auto own = "the value \"of waiter " + std::to_string(i) + '"';
    const std::string situation = "a process that was to compute was killed; ";
    for (auto& waiter : victim.waiters) {
      ASSERT_TRUE(waiter->returns()) << situation << "nobody took over";
    }
    const auto first = told(victim.waiters[0]->result());
    const auto second = told(victim.waiters[1]->result());
    ASSERT_EQ(first, second) << situation << "those who waited got two different results";
    ASSERT_TRUE(first == own || first == "the value \"of the killed one\"") << situation << first;
    ASSERT_LE(victim.runs, 1) << situation << "more than one took over";
    ASSERT_EQ(victim.runs, first == own ? 1 : 0);
  }
}

// Says what the lock looks like while it computes.
WORKBOOK_ROLE(show_token) {
  auto future = make(endpoint_from(arguments[0]));
  Other other(endpoint_from(arguments[0]));
  const auto result = future.get(forever, arguments[1], [&](const Context&) -> Result<std::string> {
    workbook::tell(other.lock_of(arguments[1]).value_or("no lock"));
    return "value";
  });
  return result ? 0 : 1;
}

TEST(Lifecycle, TokensOfTwoProcessesDiffer) {
  (void)make(shared_server());
  workbook::Child one("show_token", {shared_server().text(), fresh_key()});
  workbook::Child another("show_token", {shared_server().text(), fresh_key()});
  const auto first = one.line();
  const auto second = another.line();
  ASSERT_TRUE(first && second) << "a process ended before it had computed anything";
  EXPECT_NE(first, second) << "the first lock of every process has the same token: a late holder "
                              "takes another process's lock for its own";
}

}  // namespace
}  // namespace distributed_suite
