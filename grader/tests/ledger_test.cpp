#include "ledger.hpp"

#include <chrono>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <random>
#include <signal.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "similarity.hpp"

namespace grader {
namespace {

namespace fs = std::filesystem;

class LedgerTest : public testing::Test {
 protected:
  LedgerTest() {
    std::string name = (fs::temp_directory_path() / "ledger-test-XXXXXX").string();
    dir_ = ::mkdtemp(name.data());
  }
  ~LedgerTest() override {
    std::error_code ignored;
    fs::remove_all(dir_, ignored);
  }

  fs::path file() const { return dir_ / ".workbook" / "ledger.jsonl"; }
  std::string text() const {
    std::ifstream in(file(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  void write(const std::string& contents) const {
    std::ofstream(file(), std::ios::binary) << contents;
  }

  fs::path dir_;
};

TEST_F(LedgerTest, ReadingCreatesNothing) {
  const Ledger ledger(dir_);
  EXPECT_TRUE(ledger.entries().empty());
  EXPECT_TRUE(ledger.notices().empty());
  EXPECT_FALSE(fs::exists(dir_ / ".workbook"));
}

TEST_F(LedgerTest, RemembersInOrder) {
  {
    Ledger ledger(dir_);
    EXPECT_TRUE(ledger.add(Event::hint, 4, 1));
    EXPECT_TRUE(ledger.add(Event::hint, 4, 2));
    EXPECT_TRUE(ledger.add(Event::passed, 1, 0, "abc"));
    EXPECT_TRUE(ledger.add(Event::solution, 1));
  }
  const Ledger ledger(dir_);
  EXPECT_TRUE(ledger.changed_lines().empty());
  EXPECT_EQ(ledger.of(4).hints_opened, 2);
  EXPECT_TRUE(ledger.of(4).hint_first);
  EXPECT_TRUE(ledger.of(1).reference_opened);
  EXPECT_FALSE(ledger.of(1).reference_first) << "it had passed before";
}

TEST_F(LedgerTest, AChangedLineIsToldAndEarnsNothing) {
  Ledger(dir_).add(Event::hint, 4, 1);
  Ledger(dir_).add(Event::passed, 4, 0, "abc");
  auto contents = text();
  contents.replace(contents.find("\"task\":4"), 8, "\"task\":5");
  write(contents);
  const Ledger ledger(dir_);
  EXPECT_EQ(ledger.changed_lines(), std::vector<std::size_t>{1});
  EXPECT_EQ(ledger.notices().size(), 1U);
}

TEST_F(LedgerTest, ALostLineIsTold) {
  for (int hint = 1; hint <= 3; ++hint) Ledger(dir_).add(Event::hint, 4, hint);
  Ledger(dir_).add(Event::passed, 4, 0, "abc");
  auto contents = text();
  contents.erase(0, contents.find('\n') + 1);
  write(contents);
  EXPECT_EQ(Ledger(dir_).changed_lines(), std::vector<std::size_t>{1});
}

TEST_F(LedgerTest, ATornLineIsPutAsideAndTheOthersStay) {
  Ledger(dir_).add(Event::hint, 4, 1);
  const auto whole = text();
  write(whole + "{\"at\":\"2025-0");
  {
    Ledger ledger(dir_);
    EXPECT_EQ(ledger.of(4).hints_opened, 1);
    EXPECT_TRUE(ledger.add(Event::hint, 4, 2));
    EXPECT_EQ(ledger.notices().size(), 1U);
  }
  const Ledger ledger(dir_);
  EXPECT_EQ(ledger.of(4).hints_opened, 2);
  EXPECT_TRUE(ledger.changed_lines().empty());
  EXPECT_TRUE(text().starts_with(whole));
  EXPECT_TRUE(fs::exists(dir_ / ".workbook" / "ledger.torn"));
}

TEST_F(LedgerTest, EachVersionIsKeptOnce) {
  const std::string source = "int answer = 42;\n";
  const auto hash = token_hash(source);
  EXPECT_TRUE(Ledger(dir_).keep_version(4, "04_promise", source, hash));
  EXPECT_TRUE(Ledger(dir_).keep_version(4, "04_promise", "int  answer=42; // again", hash));
  const std::string other = "int answer = 43;\n";
  EXPECT_TRUE(Ledger(dir_).keep_version(4, "04_promise", other, token_hash(other)));
  const Ledger ledger(dir_);
  const auto versions = ledger.of(4).versions;
  ASSERT_EQ(versions.size(), 2U);
  EXPECT_EQ(versions[1].number, 2);
  const auto kept = ledger.version_file("04_promise", versions[0]);
  ASSERT_TRUE(kept);
  std::ofstream(*kept) << "int forged = 1;";
  EXPECT_FALSE(ledger.version_file("04_promise", versions[0])) << "not what the ledger says";
}

TEST_F(LedgerTest, WhatTheSuiteFailedIsRememberedWithTheVersion) {
  const std::string wrong = "int answer = 41;\n";
  const std::string right = "int answer = 42;\n";
  for (const auto& source : {wrong, right}) {
    Ledger(dir_).keep_version(4, "04_promise", source, token_hash(source));
  }
  EXPECT_FALSE(Ledger(dir_).of(4).versions[0].rejected) << "as in ledgers that never say so";
  Ledger(dir_).reject_version(4, token_hash(wrong));
  Ledger(dir_).reject_version(4, token_hash(wrong));
  Ledger(dir_).reject_version(4, token_hash("int never_kept;"));
  const Ledger ledger(dir_);
  EXPECT_EQ(ledger.entries().size(), 3U) << "once";
  EXPECT_TRUE(ledger.changed_lines().empty());
  const auto versions = ledger.of(4).versions;
  ASSERT_EQ(versions.size(), 2U);
  EXPECT_TRUE(versions[0].rejected);
  EXPECT_FALSE(versions[1].rejected);
}

TEST_F(LedgerTest, ARejectionWrittenByHandDoesNotCount) {
  const std::string source = "int answer = 42;\n";
  Ledger(dir_).keep_version(4, "04_promise", source, token_hash(source));
  write(text() + R"({"event":"rejected","task":4,"number":1,"of":")" + token_hash(source) +
        "\"}\n");
  EXPECT_FALSE(Ledger(dir_).of(4).versions[0].rejected);
}

TEST_F(LedgerTest, AReadOnlySubmissionIsNoDisaster) {
  if (::geteuid() == 0) GTEST_SKIP() << "nothing is read-only for root";
  fs::permissions(dir_, fs::perms::owner_read | fs::perms::owner_exec);
  Ledger ledger(dir_);
  EXPECT_FALSE(ledger.add(Event::hint, 4, 1));
  EXPECT_FALSE(ledger.keep_version(4, "04_promise", "int a;", token_hash("int a;")));
  ASSERT_FALSE(ledger.notices().empty());
  EXPECT_NE(ledger.notices().front().find("can't be written"), std::string::npos);
  fs::permissions(dir_, fs::perms::owner_all);
}

TEST_F(LedgerTest, SymbolicLinksLeadNowhere) {
  const auto elsewhere = dir_ / "elsewhere";
  fs::create_directory(elsewhere);
  fs::create_directory_symlink(elsewhere, dir_ / ".workbook");
  Ledger ledger(dir_);
  EXPECT_FALSE(ledger.add(Event::hint, 4, 1));
  EXPECT_TRUE(fs::is_empty(elsewhere));
  fs::remove(dir_ / ".workbook");
  fs::create_directory(dir_ / ".workbook");
  fs::create_symlink(elsewhere / "file", dir_ / ".workbook" / "ledger.jsonl");
  EXPECT_FALSE(Ledger(dir_).add(Event::hint, 4, 1));
  EXPECT_TRUE(fs::is_empty(elsewhere));
}

// Grades, so to speak, until it is killed.
[[noreturn]] void write_for_ever(const fs::path& dir, int task) {
  for (int i = 1;; ++i) {
    Ledger ledger(dir);
    ledger.add(Event::hint, task, i);
    const auto source = "int n = " + std::to_string(i) + ";\n";
    ledger.keep_version(task, "0" + std::to_string(task) + "_x", source, token_hash(source));
  }
}

TEST_F(LedgerTest, SurvivesBeingKilledAtAnyMomentByTwoAtOnce) {
  std::mt19937 chance(42);
  for (int kill = 0; kill < 40; ++kill) {
    pid_t children[2];
    for (int task = 1; task <= 2; ++task) {
      children[task - 1] = ::fork();
      if (children[task - 1] == 0) write_for_ever(dir_, task);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(chance() % 20000));
    for (const auto child : children) {
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);
    }
    Ledger ledger(dir_);
    EXPECT_TRUE(ledger.changed_lines().empty());
    for (int task = 1; task <= 2; ++task) {
      for (const auto& version : ledger.of(task).versions) {
        EXPECT_TRUE(ledger.version_file("0" + std::to_string(task) + "_x", version))
            << "kill " << kill << ", version " << version.number;
      }
    }
    EXPECT_TRUE(ledger.add(Event::solution, 9));
  }
  const Ledger ledger(dir_);
  int solutions = 0;
  for (const auto& entry : ledger.entries()) solutions += entry.event == Event::solution ? 1 : 0;
  EXPECT_EQ(solutions, 40) << "every acknowledged line is still there";
}

}  // namespace
}  // namespace grader
