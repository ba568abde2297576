// Names that are no file names, files that are no promises, disks that are full.
#pragma once

#include <algorithm>
#include <csignal>
#include <set>
#include <stdexcept>
#include <sys/resource.h>

#include "suite_support.hpp"

namespace durable_suite {
namespace {

// Letters and digits of ASCII, - and _: no storage has a reason to refuse such an id.
bool is_plain(std::string_view id) {
  return std::ranges::all_of(id, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
}

TEST(Basic, NoIdLeavesTheFolderAndNoTwoIdsMeet) {
  const Folder folder;
  std::ofstream(folder.path() / "x.json") << "mine";
  std::vector<std::string> ids{"../x",  "..",     ".",        "a/b", "a%2Fb", "a_b", "a b",
                               "/tmp",  "a\nb",   "a\\b",     "Key", "key",   "KEY", ".hidden",
                               "x.tmp", "x.json", "\xC3\xA9", "con", "~",     "*"};
  // Whatever stands in for a character in a file name: an id may hold that as it is.
  for (const char escape : std::string_view("%_-=+$@!^.")) {
    for (const auto* code : {"2F", "2f", "47", "057", "", "20"}) {
      ids.push_back(std::string("a") + escape + code + "b");
    }
  }
  // Two characters that look like the code of one, had its first digit been left out.
  for (unsigned high = 1; high < 8; ++high) {
    for (unsigned low = 0; low < 16; ++low) {
      ids.push_back({'a', static_cast<char>(high * 16 + low), 'b'});
      ids.push_back({'a', static_cast<char>(high), "0123456789abcdef"[low], 'b'});
      ids.push_back({'a', static_cast<char>(high), "0123456789ABCDEF"[low], 'b'});
    }
  }
  std::ranges::sort(ids);
  ids.erase(std::ranges::unique(ids).begin(), ids.end());
  {
    FileStorage storage(folder.promises());
    std::erase_if(ids, [&](const std::string& id) {
      return !is_plain(id) && !DurablePromise<int>::open(storage, id);  // an error is safe, too
    });
    for (std::size_t i = 0; i < ids.size(); ++i) {
      auto promise = DurablePromise<std::size_t>::open(storage, ids[i]);
      ASSERT_TRUE(promise) << "'" << ids[i] << "': " << promise.error().message;
      const auto settled = promise->resolve(i);
      ASSERT_TRUE(settled) << "'" << ids[i] << "' met another: " << settled.error().message;
    }
  }
  FileStorage storage(folder.promises());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto record = storage.load(ids[i]);
    ASSERT_TRUE(record) << "'" << ids[i] << "': " << record.error().message;
    EXPECT_EQ(record->value, i) << "'" << ids[i] << "'";
    EXPECT_EQ(record->id, ids[i]);
  }
  EXPECT_EQ(storage.all()->size(), ids.size());
  std::size_t outside = 0;
  for (const auto& entry : fs::directory_iterator(folder.path())) {
    outside += entry.path() != folder.promises() ? 1 : 0;
  }
  EXPECT_EQ(outside, 1U) << "an id wrote beside the folder";
}

TEST(Basic, AnIdThatIsNoFileNameAtAllIsRefusedOrWorks) {
  const Folder folder;
  FileStorage storage(folder.promises());
  for (const auto& id :
       {std::string(), std::string(5000, 'x'), std::string("\xFF"), std::string("a\0b", 3)}) {
    auto promise = DurablePromise<int>::open(storage, id);
    if (!promise) continue;  // a clear error is an answer
    ASSERT_TRUE(promise->resolve(1));
    const auto record = FileStorage(folder.promises()).load(id);
    ASSERT_TRUE(record) << record.error().message;
    EXPECT_EQ(record->id, id);
  }
}

TEST(Lifecycle, AReasonIsNotForgottenWhenTheDeadlinePassesToo) {
  const Folder folder;
  FileStorage storage(folder.promises());
  auto promise = DurablePromise<int>::open(storage, "p");
  ASSERT_TRUE(promise);
  const Error why{Errc::closed, "the shop is closed"};
  const auto result = promise->await(workbook::ended_before_its_deadline(why));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), why) << "a context ends once, and for one reason";
}

struct Torn {
  fs::path file;
  std::uintmax_t left;  // bytes
};

// Leaves so many percent of the promise that was resolved with "a rare value".
Torn tear(const Folder& folder, std::uintmax_t percent) {
  const auto files = folder.files_with("a rare value");
  if (files.size() != 1) {
    throw std::runtime_error("not one JSON file per promise, which says what it was resolved with");
  }
  const Torn torn{files.front(), fs::file_size(files.front()) * percent / 100};
  fs::resize_file(torn.file, torn.left);
  return torn;
}

void a_torn_file_is_named_and_keeps_nobody_back(std::uintmax_t percent) {
  const Folder folder;
  FileStorage storage(folder.promises());
  ASSERT_TRUE(DurablePromise<int>::open(storage, "good")->resolve(1));
  ASSERT_TRUE(DurablePromise<std::string>::open(storage, "torn")->resolve("a rare value"));
  const auto [torn, left] = tear(folder, percent);

  FileStorage again(folder.promises());
  const auto all = again.all();
  ASSERT_TRUE(all) << "one torn file must not keep the others back: " << all.error().message;
  ASSERT_EQ(all->size(), 1U);
  EXPECT_EQ(all->front().id, "good");
  ASSERT_EQ(again.problems().size(), 1U) << "a torn file must not be skipped in silence";
  EXPECT_NE(again.problems()[0].message.find(torn.filename().string()), std::string::npos)
      << "the report does not name " << torn.filename() << ": " << again.problems()[0].message;
  EXPECT_EQ(recover_all<int>(again)->size(), 1U);

  EXPECT_FALSE(again.load("torn"));
  auto promise = DurablePromise<std::string>::open(again, "torn");
  if (promise) {
    EXPECT_FALSE(promise->resolve("another"))
        << "what was there may be somebody's acknowledged result";
  }
  EXPECT_EQ(fs::file_size(torn), left) << "the torn file was replaced";
}

TEST(Lifecycle, ATornFileIsNamedAndKeepsNobodyBack) {
  a_torn_file_is_named_and_keeps_nobody_back(50);
}

// What a file system may leave of a file whose bytes were not on the disk when the power went.
TEST(Lifecycle, AnEmptyFileIsATornOne) { a_torn_file_is_named_and_keeps_nobody_back(0); }

void a_torn_file_is_not_replaced_by_who_had_it_open(std::uintmax_t percent) {
  const Folder folder;
  FileStorage storage(folder.promises());
  auto promise = DurablePromise<std::string>::open(storage, "torn");
  ASSERT_TRUE(promise) << promise.error().message;
  FileStorage other(folder.promises());
  ASSERT_TRUE(DurablePromise<std::string>::open(other, "torn")->resolve("a rare value"));
  const auto [torn, left] = tear(folder, percent);

  EXPECT_FALSE(promise->resolve("another"))
      << "the file was torn after the promise had been opened: what was there may be somebody's "
         "acknowledged result";
  EXPECT_EQ(fs::file_size(torn), left) << "the torn file was replaced";
}

TEST(Lifecycle, ATornFileIsNotReplacedByWhoHadItOpen) {
  a_torn_file_is_not_replaced_by_who_had_it_open(50);
}
TEST(Lifecycle, AnEmptyFileIsNotReplacedByWhoHadItOpen) {
  a_torn_file_is_not_replaced_by_who_had_it_open(0);
}

TEST(Lifecycle, AForeignFileIsNamedAndKeepsNobodyBack) {
  const Folder folder;
  FileStorage storage(folder.promises());
  ASSERT_TRUE(DurablePromise<int>::open(storage, "good")->resolve(1));
  std::ofstream(folder.promises() / "shopping.json") << R"({"milk": 2})";
  std::ofstream(folder.promises() / "list.json") << "[1, 2, 3]";
  const auto all = storage.all();
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_EQ(all->size(), 1U);
  std::string report;
  for (const auto& problem : storage.problems()) report += problem.message + "\n";
  EXPECT_NE(report.find("shopping.json"), std::string::npos) << report;
  EXPECT_NE(report.find("list.json"), std::string::npos) << report;
  EXPECT_TRUE(fs::exists(folder.promises() / "shopping.json")) << "it is not yours to remove";

  const auto told = storage.problems().size();
  EXPECT_TRUE(storage.all());
  EXPECT_EQ(storage.problems().size(), told) << "a problem is told once, however often one asks";
  fs::remove(folder.promises() / "shopping.json");
  fs::remove(folder.promises() / "list.json");
  EXPECT_TRUE(storage.all());
  EXPECT_TRUE(storage.problems().empty()) << storage.problems().front().message;
}

TEST(Lifecycle, AFolderThatCannotBeUsedIsAClearError) {
  const Folder folder;
  std::ofstream(folder.path() / "file") << "not a folder";
  FileStorage storage(folder.path() / "file");
  const auto promise = DurablePromise<int>::open(storage, "p");
  ASSERT_FALSE(promise);
  EXPECT_FALSE(promise.error().message.empty());
  EXPECT_FALSE(storage.all());
}

// Tries to settle a promise so often. Files of this process can't grow beyond a few bytes, as on a
// disk that is full.
WORKBOOK_ROLE(settle_on_a_full_disk) {
  FileStorage storage(arguments[0]);
  auto promise = DurablePromise<std::string>::open(storage, "p");
  signal(SIGXFSZ, SIG_IGN);
  const rlimit tiny{64, 64};
  setrlimit(RLIMIT_FSIZE, &tiny);
  for (int i = 0; i < std::stoi(arguments[1]); ++i) {
    const auto settled = promise->resolve(std::string(100'000, 'x'));
    const bool pending = promise->state() == State::pending;
    workbook::tell(settled ? "succeeded" : pending ? "refused" : "refused, but not pending");
  }
  return 0;
}

// What lies in the folder once a process has started, looked around and settled the promise.
std::set<fs::path> files_when_there_is_room(const Folder& folder) {
  FileStorage storage(folder.promises());
  const auto record = storage.load("p");
  EXPECT_TRUE(record) << record.error().message;
  if (record) {
    EXPECT_EQ(record->state, State::pending);
  }
  EXPECT_TRUE(DurablePromise<std::string>::open(storage, "p")->resolve("now there is room"));
  EXPECT_TRUE(storage.all());
  return folder.files();
}

TEST(Lifecycle, AFullDiskIsAnErrorAndTheOldStateStands) {
  const Folder folder;
  const Folder other;  // the same, but that nothing fails
  workbook::Child failing("settle_on_a_full_disk", {folder.promises(), "3"});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(failing.line(), "refused");
  failing.wait();
  workbook::Child idle("settle_on_a_full_disk", {other.promises(), "0"});
  idle.wait();
  const auto files = files_when_there_is_room(folder);
  const auto usual = files_when_there_is_room(other).size();
  std::string names;
  for (const auto& file : files) names += " " + file.filename().string();
  EXPECT_LE(files.size(), usual) << "what was half written was left behind: where nothing failed, "
                                 << "there are " << usual << " files, and here" << names;
}

}  // namespace
}  // namespace durable_suite
