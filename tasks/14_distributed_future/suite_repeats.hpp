// What is asked again and again, or answered late: values that are found, keys that change while
// one asks, a server that takes its time, and news without end.
#pragma once

#include <atomic>
#include <pthread.h>
#include <string>

#include "suite_support.hpp"
#include "suite_wire.hpp"

namespace distributed_suite {
namespace {

TEST(Lifecycle, ToFindAValueDoesNotProlongIt) {
  const auto key = fresh_key();
  auto future = make(shared_server());
  ASSERT_TRUE(future.get(forever, key, returning("kept")));
  Other other;
  constexpr long long rest = 60'000;  // milliseconds
  other.tell({"PEXPIRE", "fut-cache:" + key, std::to_string(rest)});
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(told(future.get(forever, key, returning("another"))), "the value \"kept\"");
  }
  EXPECT_LE(other.ends_in("fut-cache:" + key), rest)
      << "a value ends when its time is over, however often it was found: else it never does";
}

// Another process stores a value just before the n-th command of somebody who is about to win.
TEST(Lifecycle, TheLockIsGivenBackAtWhateverMomentAValueComes) {
  for (int n = 1; n <= 6 && !testing::Test::HasFailure(); ++n) {
    const auto key = fresh_key();
    Other other(private_server());
    std::atomic<int> count{0};
    const Wire wire(private_server(), [&](const Command&) {
      if (++count == n) other.tell({"SET", "fut-cache:" + key, "theirs", "PX", "600000"});
      return Pass::on;
    });
    auto future = make(wire.endpoint());
    const auto result = future.get(forever, key, returning("ours"));
    EXPECT_TRUE(result == "ours" || result == "theirs") << told(result);
    Other watcher(private_server());
    EXPECT_TRUE(eventually([&] { return !watcher.lock_of(key); }))
        << "another process stored its value just before command " << n
        << ", get() has returned, and the lock is still there: nobody can compute until it ends";
  }
}

// A command that is sent under a context that has ended may be carried out all the same, if the
// server is quick. Nobody can rely on that: this server is not.
TEST(Lifecycle, TheLockIsGivenBackThoughTheServerTakesItsTime) {
  for (int round = 0; round < 3 && !testing::Test::HasFailure(); ++round) {
    const auto key = fresh_key();
    auto source = with_cancel(forever);
    std::atomic<bool> cancelled{false};
    Gate returned;
    const Wire wire(private_server(), [&](const Command&) {
      if (cancelled) (void)returned.wait_for(100ms);
      return Pass::on;
    });
    auto future = make(wire.endpoint());
    const auto result =
        future.get(source.context(), key, [&](const Context&) -> Result<std::string> {
          source.cancel();
          cancelled = true;
          return std::unexpected(Error{Errc::cancelled, "as told"});
        });
    returned.open();
    EXPECT_FALSE(result) << told(result);
    Other other(private_server());
    EXPECT_TRUE(eventually([&] { return !other.lock_of(key); }))
        << "the caller has cancelled and get() has returned, and fut-lock:KEY is still there: did "
           "it "
           "wait for the server's answer when it gave the lock back, or only until its context "
           "ended?";
  }
}

// Runs a call on a thread with so little stack that whoever calls itself for each look ends it.
class OnALittleStack {
 public:
  explicit OnALittleStack(Fn<void()> call) : call_(std::move(call)) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 512 << 10);
    started_ = pthread_create(&thread_, &attributes, run, this) == 0;
    pthread_attr_destroy(&attributes);
  }
  ~OnALittleStack() {
    if (started_) pthread_join(thread_, nullptr);
  }
  OnALittleStack(const OnALittleStack&) = delete;
  OnALittleStack& operator=(const OnALittleStack&) = delete;

 private:
  static void* run(void* self) {
    static_cast<OnALittleStack*>(self)->call_();
    return nullptr;
  }

  Fn<void()> call_;
  pthread_t thread_{};
  bool started_ = false;
};

TEST(Lifecycle, AWaiterThatIsWokenThousandsOfTimesHasRoomForMore) {
  constexpr int looks = 3'000;
  const auto key = fresh_key();
  Other other(private_server());
  other.take_lock(key);
  std::atomic<int> count{0};
  // Each look is answered with more news, until the last one finds the value.
  const Wire wire(private_server(), [&](const Command& command) {
    if (command.name() == "SUBSCRIBE") return Pass::on;
    if (++count == looks) {
      other.tell({"SET", "fut-cache:" + key, "at last", "PX", "600000"});
      other.drop_lock(key);
    }
    if (count <= looks) other.tell({"PUBLISH", "fut-pub:" + key, "look again"});
    return Pass::on;
  });
  auto future = make(wire.endpoint());
  std::string outcome;
  auto source = with_cancel(forever);
  Gate returned;
  {
    const OnALittleStack waiter([&] {
      outcome = told(future.get(source.context(), key, returning("ours")));
      returned.open();
    });
    // A version that does not look for each of them, or reads more into them, has to be told.
    if (!returned.wait_for(3s)) {
      Other(private_server()).tell({"SET", "fut-cache:" + key, "at last", "PX", "600000"});
      Other(private_server()).drop_lock(key);
      Other(private_server()).tell({"PUBLISH", "fut-pub:" + key, "at last"});
      if (!returned.wait_for()) source.cancel();
    }
  }
  EXPECT_TRUE(outcome == "the value \"at last\"" || outcome == "the value \"ours\"" ||
              outcome.starts_with("the error"))
      << outcome;
}

}  // namespace
}  // namespace distributed_suite
