// kill -9: between any two system calls, and at any other moment.
#pragma once

#include <csignal>
#include <random>

#include "suite_support.hpp"

namespace durable_suite {
namespace {

TEST(Lifecycle, ContentIsSyncedThenRenamedThenTheFolderIsSynced) {
  if (!hears_calls) return;  // the order is the same in every flavour; the sanitizers hook in, too
  const Folder folder;
  FileStorage storage(folder.promises());
  auto promise = DurablePromise<int>::open(storage, "p");
  ASSERT_TRUE(promise);
  auto& ear = Ear::instance();
  ear.start();
  const auto settled = promise->resolve(1);
  ear.stop();
  ASSERT_TRUE(settled);
  for (const auto& problem : ear.problems()) {
    ADD_FAILURE() << problem << "; heard: " << ear.story()
                  << "\nA power cut at the wrong moment loses or tears the result.";
  }
}

// Dies at the call with the given number, before or after it. Tells how many calls there were when
// it gets through.
WORKBOOK_ROLE(settle_and_die) {
  FileStorage storage(arguments[0]);
  auto promise = DurablePromise<std::string>::open(storage, arguments[1]);
  if (!promise) return 1;
  const int fatal = std::stoi(arguments[2]);
  const bool after = arguments[3] == "after";
  auto& ear = Ear::instance();
  ear.start();
  ear.at_call = [&](int call, bool over) {
    if (call == fatal && over == after) ::kill(getpid(), SIGKILL);
  };
  const auto settled = promise->resolve(std::string(5000, 'v'));
  const int calls = ear.calls();
  ear.stop();
  workbook::tell(settled ? "acknowledged" : "refused " + settled.error().message);
  workbook::tell(std::to_string(calls));
  return 0;
}

TEST(Lifecycle, KilledBetweenAnyTwoSystemCallsAPromiseIsPendingOrWhole) {
  if (!hears_calls) return;
  const Folder folder;
  FileStorage here(folder.promises());
  ASSERT_TRUE(DurablePromise<int>::open(here, "before any process relies on it"));
  workbook::Child counting("settle_and_die", {folder.promises(), "all", "-1", "after"});
  ASSERT_EQ(counting.line(), "acknowledged");
  const int calls = std::stoi(counting.line().value_or("0"));
  ASSERT_GT(calls, 0) << "settling neither synced nor renamed a file";
  for (int fatal = 0; fatal < calls; ++fatal) {
    for (const std::string when : {"before", "after"}) {
      const std::string where = when + " call " + std::to_string(fatal) + " of " +
                                std::to_string(calls) + " (syncs and renames, counted from 0)";
      const std::string id = when + std::to_string(fatal);
      workbook::Child child("settle_and_die", {folder.promises(), id, std::to_string(fatal), when});
      const bool acknowledged = child.line() == "acknowledged";
      child.wait();
      FileStorage storage(folder.promises());
      const auto record = storage.load(id);
      ASSERT_TRUE(record) << "killed " << where << ": " << record.error().message;
      if (acknowledged) {
        EXPECT_EQ(record->state, State::resolved) << where;
      }
      if (record->state != State::pending) {
        EXPECT_EQ(record->value, std::string(5000, 'v')) << "killed " << where;
      }
      auto promise = DurablePromise<std::string>::open(storage, id);
      ASSERT_TRUE(promise) << promise.error().message;
      const auto again = promise->resolve(std::string(5000, 'v'));
      EXPECT_TRUE(again) << "killed " << where << ", and a retry fails: " << again.error().message;
    }
  }
}

WORKBOOK_ROLE(settle_in_a_loop) {
  FileStorage storage(arguments[0]);
  for (int i = 0;; ++i) {
    const std::string id = arguments[1] + "-" + std::to_string(i);
    auto promise = DurablePromise<std::string>::open(storage, id);
    const std::string value = id + std::string(static_cast<std::size_t>(i) % 7 * 900, '.');
    if (!promise || !promise->resolve(value)) return 1;
    workbook::tell(id + " " + std::to_string(value.size()));
  }
}

// One process after another settles promises and is killed at some moment; whoever comes after
// finds every acknowledged one as it was acknowledged.
TEST(Stress, NothingAcknowledgedIsLostToKillNine) {
  constexpr std::size_t at_once = 2;
  const std::size_t kills = hears_calls ? 500 : 16;
  const Folder folder;
  FileStorage storage(folder.promises());
  const auto nothing = storage.all();
  ASSERT_TRUE(nothing) << nothing.error().message;
  std::mt19937 random(static_cast<unsigned>(workbook::report::seed.load()));
  std::map<std::string, std::size_t> acknowledged;
  for (std::size_t done = 0; done < kills; done += at_once) {
    std::vector<workbook::Child> children;
    for (std::size_t i = 0; i < at_once; ++i) {
      children.emplace_back(
          "settle_in_a_loop",
          std::vector<std::string>{folder.promises(), "run" + std::to_string(done + i)},
          hears_calls ? workbook::Child::Start::fork : workbook::Child::Start::program);
    }
    for (auto& child : children) {
      // Some moment after the first acknowledgement, so that there is something to lose.
      auto line = child.line();
      ASSERT_TRUE(line) << "a process ended by itself";
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 1500));
      child.kill();
      for (; line; line = child.line()) {
        const auto space = line->find(' ');
        acknowledged[line->substr(0, space)] = std::stoul(line->substr(space));
      }
      child.wait();
    }
  }
  const auto all = storage.all();
  ASSERT_TRUE(all) << all.error().message;
  for (const auto& problem : storage.problems()) ADD_FAILURE() << "torn: " << problem.message;
  for (const auto& record : *all) {
    const auto found = acknowledged.find(record.id);
    if (found == acknowledged.end()) continue;  // killed before it could tell us
    ASSERT_EQ(record.state, State::resolved) << record.id << " was acknowledged and is lost";
    const auto value = record.value.get<std::string>();
    ASSERT_TRUE(value.starts_with(record.id) && value.size() == found->second)
        << record.id << " was acknowledged and is another now";
    acknowledged.erase(found);
  }
  EXPECT_TRUE(acknowledged.empty()) << acknowledged.size() << " acknowledged promises are gone, "
                                    << acknowledged.begin()->first << " first";
}

}  // namespace
}  // namespace durable_suite
