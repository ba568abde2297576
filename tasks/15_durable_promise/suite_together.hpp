// Handles, threads and processes that share a promise.
#pragma once

#include <atomic>
#include <thread>

#include "suite_support.hpp"

namespace durable_suite {
namespace {

TEST(Lifecycle, AnAwaiterOnAnotherHandleWakes) {
  const Folder folder;
  FileStorage storage(folder.promises());
  FileStorage second(folder.promises());
  for (Storage* settling : {static_cast<Storage*>(&storage), static_cast<Storage*>(&second)}) {
    const std::string id = settling == &storage ? "one storage" : "two storages";
    auto awaiting = DurablePromise<int>::open(storage, id);
    auto resolving = DurablePromise<int>::open(*settling, id);
    ASSERT_TRUE(awaiting && resolving);
    std::atomic<int> got{0};
    {
      const std::jthread waiter([&] { got = awaiting->await(patiently()).value_or(-1); });
      ASSERT_TRUE(resolving->resolve(9));
    }
    EXPECT_EQ(got, 9) << id;
  }
}

TEST(Lifecycle, APromiseOfTheSameNameInAnotherFolderIsAnotherOne) {
  const Folder folder;
  const Folder other_folder;
  FileStorage storage(folder.promises());
  FileStorage other_storage(other_folder.promises());
  auto promise = DurablePromise<int>::open(storage, "p");
  auto namesake = DurablePromise<int>::open(other_storage, "p");
  ASSERT_TRUE(promise && namesake);
  std::atomic<int> got{0};
  {
    const std::jthread waiter([&] { got = promise->await(patiently()).value_or(-1); });
    EXPECT_FALSE(promise->await(with_timeout(workbook::forever, 50ms).context()));
    ASSERT_TRUE(namesake->resolve(1));
    EXPECT_FALSE(promise->await(with_timeout(workbook::forever, 50ms).context()));
    ASSERT_TRUE(promise->resolve(2));
  }
  EXPECT_EQ(got, 2) << "the promise of another folder was resolved with 1";
}

TEST(Lifecycle, EveryAwaiterGetsTheResult) {
  const Folder folder;
  FileStorage storage(folder.promises());
  auto promise = DurablePromise<int>::open(storage, "p");
  ASSERT_TRUE(promise);
  std::atomic<int> sum{0};
  {
    std::vector<std::jthread> waiters;
    for (std::size_t i = 0; i < workbook::crowd(16); ++i) {
      waiters.emplace_back([&] { sum += promise->await(patiently()).value_or(-1000); });
    }
    ASSERT_TRUE(promise->resolve(1));
  }
  EXPECT_EQ(sum, static_cast<int>(workbook::crowd(16)));
}

// Keeps records in memory and does as the test says.
class ScriptedStorage : public Storage {
 public:
  std::function<void()> before_settle = [] {};
  std::function<void()> after_look = [] {};  // between a load and its return
  std::atomic<bool> refuse{false};

  Result<PromiseRecord> create_if_absent(std::string_view id) override {
    const std::lock_guard lock(mutex_);
    auto& record = records_[std::string(id)];
    record.id = id;
    return record;
  }
  Result<PromiseRecord> settle(PromiseRecord record) override {
    before_settle();
    if (refuse) return std::unexpected(Error{Errc::unavailable, "the disk is full"});
    const std::lock_guard lock(mutex_);
    auto& kept = records_[record.id];
    if (kept.state == State::pending) kept = record;
    return kept;
  }
  Result<PromiseRecord> load(std::string_view id) override {
    auto record = find(id);
    after_look();
    return record;
  }
  Result<PromiseRecord> find(std::string_view id) {
    const std::lock_guard lock(mutex_);
    const auto found = records_.find(std::string(id));
    if (found == records_.end()) return std::unexpected(Error{Errc::not_found, "none"});
    return found->second;
  }
  Result<std::vector<PromiseRecord>> all() override {
    const std::lock_guard lock(mutex_);
    std::vector<PromiseRecord> copies;
    for (const auto& [id, record] : records_) copies.push_back(record);
    return copies;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, PromiseRecord> records_;
};

TEST(Lifecycle, NobodyHearsOfAResultBeforeItIsStored) {
  ScriptedStorage storage;
  auto promise = DurablePromise<int>::open(storage, "p");
  auto other = DurablePromise<int>::open(storage, "p");
  ASSERT_TRUE(promise && other);
  std::atomic<bool> stored{false};
  std::atomic<bool> early{false};
  auto ended = with_cancel(Context::background());
  ended.cancel();
  // While the disk is busy, anybody who looks must still see a pending promise.
  storage.before_settle = [&] {
    for (auto* handle : {&*promise, &*other}) {
      if (handle->state() != State::pending || handle->await(ended.context())) early = true;
    }
    stored = true;
  };
  std::atomic<bool> woken_early{false};
  {
    const std::jthread waiter([&] {
      if (promise->await(patiently()) && !stored) woken_early = true;
    });
    ASSERT_TRUE(promise->resolve(3));
  }
  EXPECT_FALSE(early) << "a result was shown before the storage had it: a crash now would lose it";
  EXPECT_FALSE(woken_early) << "an awaiter was woken before the storage had the result";
}

TEST(Lifecycle, AResultThatComesWhileAnAwaiterLooksIsNotMissed) {
  ScriptedStorage storage;
  auto awaiting = DurablePromise<int>::open(storage, "p");
  auto resolving = DurablePromise<int>::open(storage, "p");
  ASSERT_TRUE(awaiting && resolving);
  std::jthread resolver;
  workbook::Gate resolved;
  std::atomic<bool> first{true};
  storage.after_look = [&] {
    if (!first.exchange(false)) return;
    resolver = std::jthread([&] {
      EXPECT_TRUE(resolving->resolve(4));
      resolved.open();
    });
    // A version that looks with a lock held makes the resolver wait: fine, go on then.
    (void)resolved.wait_for(100ms);
  };
  EXPECT_EQ(awaiting->await(patiently()), 4)
      << "the awaiter saw 'pending', and the news came before it began to listen";
}

TEST(Lifecycle, AResultThatCouldNotBeStoredIsNotAResult) {
  ScriptedStorage storage;
  auto promise = DurablePromise<int>::open(storage, "p");
  ASSERT_TRUE(promise);
  storage.refuse = true;
  const auto refused = promise->resolve(1);
  ASSERT_FALSE(refused) << "the storage failed, and resolve() said it went well";
  EXPECT_EQ(promise->state(), State::pending);
  auto ended = with_cancel(Context::background());
  ended.cancel();
  EXPECT_FALSE(promise->await(ended.context()));
  storage.refuse = false;
  EXPECT_TRUE(promise->resolve(2)) << "and nothing must be left of the failed attempt";
  EXPECT_EQ(promise->await(patiently()), 2);
}

TEST(Stress, ThreadsWithStoragesOfTheirOwnAgreeOnOneOutcome) {
  constexpr std::size_t threads = 4;
  struct Round {
    Folder folder;
    std::atomic<int> winners{0};
    std::atomic<int> winner{-1};
  };
  workbook::stress_on(
      workbook::crowd(threads), workbook::rounds(40), [] { return std::make_unique<Round>(); },
      [](std::unique_ptr<Round>& round, std::size_t thread) {
        FileStorage storage(round->folder.promises());
        const int mine = static_cast<int>(thread);
        auto promise = DurablePromise<int>::open(storage, "p");
        ASSERT_TRUE(promise) << promise.error().message;
        if (thread % 2 == 0) {
          const auto settled = promise->resolve(mine);
          if (settled) {
            ++round->winners;
            round->winner = mine;
          } else {
            EXPECT_TRUE(settled.error().code == Errc::already_settled) << settled.error().message;
          }
        }
        const auto seen = promise->await(patiently());
        ASSERT_TRUE(seen) << seen.error().message;
      },
      [](std::unique_ptr<Round>& round) {
        EXPECT_EQ(round->winners, 1) << "of several different resolves exactly one may succeed";
        FileStorage storage(round->folder.promises());
        const auto record = storage.load("p");
        ASSERT_TRUE(record) << record.error().message;
        EXPECT_EQ(record->value, round->winner.load());
      });
}

TEST(Stress, ALateOpenNeverErasesAResult) {
  struct Round {
    Folder folder;
  };
  workbook::stress_on(
      2, workbook::rounds(150), [] { return std::make_unique<Round>(); },
      [](std::unique_ptr<Round>& round, std::size_t thread) {
        FileStorage storage(round->folder.promises());
        auto promise = DurablePromise<int>::open(storage, "p");
        ASSERT_TRUE(promise) << promise.error().message;
        if (thread == 0) {
          const auto settled = promise->resolve(1);
          EXPECT_TRUE(settled) << settled.error().message;
        }
      },
      [](std::unique_ptr<Round>& round) {
        FileStorage storage(round->folder.promises());
        const auto record = storage.load("p");
        ASSERT_TRUE(record) << record.error().message;
        EXPECT_EQ(record->state, State::resolved)
            << "somebody saw 'not there', and wrote 'pending' after another had resolved it";
      });
}

WORKBOOK_ROLE(race_to_settle) {
  FileStorage storage(arguments[0]);
  const int mine = std::stoi(arguments[1]);
  for (int i = 0; i < std::stoi(arguments[2]); ++i) {
    const std::string id = "race-" + std::to_string(i);
    auto promise = DurablePromise<int>::open(storage, id);
    const auto settled = promise ? promise->resolve(mine) : std::unexpected(promise.error());
    if (settled) {
      workbook::tell(std::to_string(i));
    } else if (settled.error().code != Errc::already_settled) {
      workbook::tell("error " + settled.error().message);
    }
  }
  return 0;
}

TEST(Stress, ProcessesAgreeOnOneOutcome) {
  const Folder folder;
  constexpr int processes = 4;
  constexpr int promises = 40;
  FileStorage storage(folder.promises());
  const auto nothing = storage.all();
  ASSERT_TRUE(nothing) << nothing.error().message;
  std::vector<workbook::Child> children;
  for (int i = 0; i < processes; ++i) {
    children.emplace_back(
        "race_to_settle",
        std::vector<std::string>{folder.promises(), std::to_string(i), std::to_string(promises)});
  }
  std::map<int, int> winners;
  std::map<int, int> winner;
  for (int i = 0; i < processes; ++i) {
    while (const auto line = children[static_cast<std::size_t>(i)].line()) {
      ASSERT_FALSE(line->starts_with("error")) << *line;
      ++winners[std::stoi(*line)];
      winner[std::stoi(*line)] = i;
    }
  }
  for (int i = 0; i < promises; ++i) {
    ASSERT_EQ(winners[i], 1) << "processes that were told they settled promise " << i;
    ASSERT_EQ(storage.load("race-" + std::to_string(i))->value, winner[i]);
  }
}

}  // namespace
}  // namespace durable_suite
