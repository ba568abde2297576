// Promises of one folder: whoever settles one is no danger for those who settle the others.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "suite_support.hpp"
#include "suite_turns.hpp"

namespace durable_suite {
namespace {

constexpr auto neighbours_hint =
    ": they are two promises, and each was settled once. While one was being written, the other "
    "one was, too: which files do they share?";

// The second is there when the first is written, or comes to be just then.
void expect_neighbours_settle(Storage& one, Storage& another, const fs::path& folder,
                              bool comes_to_be) {
  Settler first(one, 1, "first");
  Settler second(another, 2, "second", comes_to_be);
  ASSERT_TRUE(first.is_open());
  settle_one_while_the_other_is_half_way(second, first);
  EXPECT_TRUE(first.outcome() && second.outcome())
      << told(std::vector<const Settler*>{&first, &second}) << neighbours_hint;
  FileStorage anew(folder);
  for (const auto* settler : {&first, &second}) {
    const auto record = anew.load(settler->id());
    ASSERT_TRUE(record) << record.error().message << neighbours_hint;
    EXPECT_EQ(record->value, settler->value()) << neighbours_hint;
  }
}

TEST(Lifecycle, ThreadsThatShareAStorageMaySettleTwoPromisesAtOnce) {
  if (!hears_calls) return;
  for (const bool comes_to_be : {false, true}) {
    const Folder folder;
    FileStorage storage(folder.promises());
    expect_neighbours_settle(storage, storage, folder.promises(), comes_to_be);
  }
}

TEST(Lifecycle, ThreadsWithStoragesOfTheirOwnMaySettleTwoPromisesAtOnce) {
  if (!hears_calls) return;
  for (const bool comes_to_be : {false, true}) {
    const Folder folder;
    FileStorage one(folder.promises());
    FileStorage another(folder.promises());
    expect_neighbours_settle(one, another, folder.promises(), comes_to_be);
  }
}

// Comes to the middle of it, says so, and goes on when there is a file.
WORKBOOK_ROLE(resolve_and_pause) {
  FileStorage storage(arguments[0]);
  auto promise = DurablePromise<int>::open(storage, arguments[1]);
  if (!promise) return 1;
  auto& ear = Ear::instance();
  ear.start();
  ear.at_call = [&](int call, bool over) {
    if (call != 0 || over) return;
    workbook::tell("half way");
    while (!fs::exists(arguments[3])) std::this_thread::sleep_for(1ms);
  };
  const auto outcome = promise->resolve(std::stoi(arguments[2]));
  ear.stop();
  workbook::tell(outcome ? "success" : "failure: " + outcome.error().message);
  return 0;
}

TEST(Lifecycle, ProcessesMaySettleTwoPromisesAtOnce) {
  if (!hears_calls) return;
  const Folder folder;
  FileStorage here(folder.promises());
  ASSERT_TRUE(DurablePromise<int>::open(here, "before any process relies on it"));
  const auto go_on = folder.path() / "go on";
  workbook::Child first("resolve_and_pause", {folder.promises(), "first", "1", go_on});
  auto said_first = first.line();
  ASSERT_TRUE(said_first);
  workbook::Child second("resolve_and_pause", {folder.promises(), "second", "2", go_on});
  (void)workbook::eventually([&] { return second.ready(); }, 2s);  // it may have to wait its turn
  std::ofstream(go_on) << "now";
  if (said_first == "half way") said_first = first.line();
  auto said_second = second.line();
  if (said_second == "half way") said_second = second.line();
  EXPECT_EQ(said_first, "success") << neighbours_hint;
  EXPECT_EQ(said_second, "success") << neighbours_hint;
  FileStorage anew(folder.promises());
  for (const std::string id : {"first", "second"}) {
    const auto record = anew.load(id);
    ASSERT_TRUE(record) << record.error().message << neighbours_hint;
    EXPECT_EQ(record->value, id == "first" ? 1 : 2) << neighbours_hint;
  }
}

}  // namespace
}  // namespace durable_suite
