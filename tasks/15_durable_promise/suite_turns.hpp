// Those who settle take turns: threads that are stopped in the middle of it while others go on.
#pragma once

#include <atomic>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "suite_support.hpp"
#include "testing/threads.hpp"

namespace durable_suite {
namespace {

// Resolves a promise with a number, on a thread of its own. Opens it beforehand, or there.
class Settler {
 public:
  // For its thread: what it does when it first comes to a call that is heard, before the call. That
  // is in the middle of settling.
  std::function<void()> half_way = [] {};

  Settler(Storage& storage, int value, std::string id = "p", bool opens_it_there = false)
      : storage_(storage), value_(value), id_of_promise_(std::move(id)) {
    if (!opens_it_there) open();
  }

  bool is_open() const { return promise_ && promise_->has_value(); }
  bool has_ended() const { return ended_.is_open(); }
  int value() const { return value_; }
  const std::string& id() const { return id_of_promise_; }
  const Result<void>& outcome() const { return *outcome_; }  // once it has ended

  void start() {  // only the first time
    if (thread_.joinable()) return;
    thread_ = std::jthread([this] {
      self_ = this;
      id_ = ::gettid();
      if (!promise_) open();
      outcome_ = *promise_ ? (*promise_)->resolve(value_) : std::unexpected(promise_->error());
      ended_.open();
    });
  }

  void wait() { ended_.wait(); }

  // Until it has ended, or is asleep and stays so: it waits for somebody, or is stopped half-way. A
  // version that waits in another way is left to it after two seconds.
  void wait_until_it_can_do_no_more() const {
    std::optional<workbook::threads::Sighting> last;
    auto since = Clock::now();
    (void)workbook::eventually(
        [&] {
          const auto now = id_ == 0 ? std::nullopt : workbook::threads::look(id_);
          if (!now || now->state != 'S' || now != last) since = Clock::now();
          last = now;
          return ended_.is_open() || Clock::now() - since > 30ms;
        },
        2s);
  }

  // For Ear::at_call.
  static void heard(int, bool over) {
    if (self_ == nullptr || over || std::exchange(self_->been_half_way_, true)) return;
    self_->half_way();
  }

 private:
  void open() { promise_.emplace(DurablePromise<int>::open(storage_, id_of_promise_)); }

  static inline thread_local Settler* self_ = nullptr;

  Storage& storage_;
  const int value_;
  const std::string id_of_promise_;
  std::optional<Result<DurablePromise<int>>> promise_;
  std::optional<Result<void>> outcome_;
  bool been_half_way_ = false;  // its thread's
  std::atomic<int> id_{0};
  workbook::Gate ended_;
  std::jthread thread_;
};

// Returns when both have ended.
void settle_one_while_the_other_is_half_way(Settler& second, Settler& first) {
  first.half_way = [&] {
    second.start();
    second.wait_until_it_can_do_no_more();
  };
  auto& ear = Ear::instance();
  ear.start();
  ear.at_call = Settler::heard;
  first.start();
  first.wait();
  second.start();  // for a version that makes no call on the thread that settles
  second.wait();
  ear.stop();
}

// What each was told, for a failure's message.
std::string told(std::span<const Settler* const> settlers) {
  std::string text;
  for (const auto* settler : settlers) {
    const auto& outcome = settler->outcome();
    text += "resolve(" + std::to_string(settler->value()) + ") returned " +
            (outcome ? "success" : "'" + outcome.error().message + "'") + ", ";
  }
  return text;
}

// One of them has won, the others know, and the storage says the same.
void expect_one_winner(const std::vector<const Settler*>& settlers, Storage& storage,
                       const std::string& hint) {
  const auto record = storage.load("p");
  ASSERT_TRUE(record) << record.error().message;
  int winners = 0;
  for (const auto* settler : settlers) {
    const auto& outcome = settler->outcome();
    if (outcome) {
      ++winners;
      EXPECT_EQ(record->value, settler->value()) << told(settlers) << hint;
    } else {
      EXPECT_TRUE(outcome.error().code == Errc::already_settled)
          << told(settlers) << "and nothing was wrong with the disk: " << hint;
    }
  }
  EXPECT_EQ(winners, 1) << told(settlers) << hint;
}

TEST(Lifecycle, ThreadsThatShareAStorageAgreeOnOneOutcome) {
  if (!hears_calls) return;
  const Folder folder;
  FileStorage storage(folder.promises());
  Settler first(storage, 1);
  Settler second(storage, 2);
  ASSERT_TRUE(first.is_open() && second.is_open());
  settle_one_while_the_other_is_half_way(second, first);
  expect_one_winner({&first, &second}, storage,
                    "while one was writing its result, another thread came to settle through the "
                    "same storage. What keeps it out? flock() excludes open files from one "
                    "another, not threads that use the same one");
}

TEST(Lifecycle, WhoHasWaitedForItsTurnAndWhoComesThenAgreeOnOneOutcome) {
  if (!hears_calls) return;
  const Folder folder;
  FileStorage storages[] = {FileStorage(folder.promises()), FileStorage(folder.promises()),
                            FileStorage(folder.promises())};
  Settler failing(storages[0], 1);
  Settler waiting(storages[1], 2);
  Settler late(storages[2], 3);
  ASSERT_TRUE(failing.is_open() && waiting.is_open() && late.is_open());
  // The first fails, so that the promise is still pending when the one that waits gets its turn.
  failing.half_way = [&] {
    waiting.start();
    waiting.wait_until_it_can_do_no_more();
    Ear::disk = Ear::Disk::full;
  };
  waiting.half_way = [&] {
    failing.wait();
    late.start();
    late.wait_until_it_can_do_no_more();
  };
  auto& ear = Ear::instance();
  ear.start();
  ear.at_call = Settler::heard;
  for (auto* settler : {&failing, &waiting, &late}) {
    settler->start();
    settler->wait();
  }
  ear.stop();
  std::vector<const Settler*> rivals = {&waiting, &late};
  // Its thread made no call, so it was not made to fail.
  if (failing.outcome()) rivals.push_back(&failing);
  expect_one_winner(rivals, storages[0],
                    "one waited while another, which failed, had its turn; and when it was its "
                    "own, a third came. What keeps that one out? A lock keeps out those who ask "
                    "for the same file: the one that waits may have opened it long ago");
}

WORKBOOK_ROLE(resolve_p) {
  FileStorage storage(arguments[0]);
  workbook::tell("is ready");
  while (!fs::exists(arguments[2])) std::this_thread::sleep_for(1ms);
  auto promise = DurablePromise<int>::open(storage, "p");
  const auto outcome = promise ? promise->resolve(std::stoi(arguments[1]))
                               : Result<void>(std::unexpected(promise.error()));
  workbook::tell(outcome ? "success" : outcome.error().code.message());
  return 0;
}

// Looking at promises takes nothing away from a thread of the same process that settles one.
TEST(Lifecycle, WhoLooksWhileAnotherSettlesLetsNobodyIn) {
  if (!hears_calls) return;
  const Folder folder;
  FileStorage storage(folder.promises());
  FileStorage another(folder.promises());
  auto settled = DurablePromise<int>::open(storage, "settled");
  Settler first(storage, 1);
  ASSERT_TRUE(first.is_open() && settled && settled->resolve(7));
  const auto its_turn = folder.path() / "go";
  workbook::Child second("resolve_p", {folder.promises(), "2", its_turn});
  ASSERT_EQ(second.line(), "is ready");
  workbook::Gate is_half_way;
  workbook::Gate may_go_on;
  first.half_way = [&] {
    is_half_way.open();
    may_go_on.wait();
  };
  auto& ear = Ear::instance();
  ear.start();
  ear.at_call = Settler::heard;
  first.start();
  // Never half-way: a version that makes no call on the thread that settles.
  (void)workbook::eventually([&] { return is_half_way.is_open() || first.has_ended(); });
  workbook::Gate looked;
  std::jthread looker([&] {
    for (FileStorage* one : {&storage, &another}) {
      (void)one->load("settled");
      (void)one->load("p");
      (void)one->all();
    }
    looked.open();
  });
  (void)looked.wait_for(300ms);  // it may have to wait for the one that settles
  std::ofstream(its_turn) << "now";
  (void)workbook::eventually([&] { return second.ready(); }, 1s);  // so may this one
  may_go_on.open();
  first.wait();
  looker.join();
  ear.stop();
  const auto told_second = second.line();
  const auto record = storage.load("p");
  ASSERT_TRUE(record && told_second);
  const std::string told = "this process was told " +
                           std::string(first.outcome() ? "success" : "failure") +
                           " with 1, the other one '" + *told_second + "' with 2";
  EXPECT_EQ(record->value, first.outcome() ? 1 : 2) << told;
  EXPECT_NE(first.outcome().has_value(), *told_second == "success")
      << told
      << ". While one thread was settling, another one looked at promises. With fcntl() a "
         "process gives up its lock when it closes any descriptor of the file";
}

}  // namespace
}  // namespace durable_suite
