// The search visits every outcome it should, and no outcome that cannot be.
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <sys/mman.h>
#include <thread>

#include "explored_body.hpp"

namespace explorer {
namespace {

// What the bodies saw, kept over processes: one bit for each of 64 outcomes.
class Outcomes {
 public:
  Outcomes()
      : bits_(static_cast<std::uint64_t*>(
            mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {}
  ~Outcomes() { munmap(bits_, 4096); }
  Outcomes(const Outcomes&) = delete;
  Outcomes& operator=(const Outcomes&) = delete;

  void saw(unsigned outcome) { *bits_ |= std::uint64_t{1} << outcome; }
  std::set<unsigned> all() const {
    std::set<unsigned> seen;
    for (unsigned i = 0; i < 64; ++i)
      if (*bits_ >> i & 1) seen.insert(i);
    return seen;
  }

 private:
  std::uint64_t* bits_;
};

// Store buffering with the given order: the outcome is what the two loads saw, two bits.
std::set<unsigned> store_buffering(std::memory_order order, Limits limits) {
  Outcomes outcomes;
  Outcome outcome = explore("Body", limits, run_of([&] {
                              std::atomic<int> x{0}, y{0};
                              int seen_x = 0, seen_y = 0;
                              std::thread a([&] {
                                x.store(1, order);
                                seen_y = y.load(order);
                              });
                              std::thread b([&] {
                                y.store(1, order);
                                seen_x = x.load(order);
                              });
                              a.join();
                              b.join();
                              outcomes.saw(static_cast<unsigned>(seen_x * 2 + seen_y));
                            }));
  EXPECT_EQ(outcome.status, Status::passed);
  EXPECT_TRUE(outcome.exhausted);
  return outcomes.all();
}

TEST(Search, SequentialConsistencyLeavesThreeOutcomes) {
  EXPECT_EQ(store_buffering(std::memory_order_seq_cst, {.seconds = 2}),
            (std::set<unsigned>{1, 2, 3}));
}

TEST(Search, RelaxedOrderAllowsTheFourth) {
  EXPECT_EQ(store_buffering(std::memory_order_relaxed, {.seconds = 2}),
            (std::set<unsigned>{0, 1, 2, 3}));
}

TEST(Search, WithoutValueChoicesThereAreOnlyInterleavings) {
  EXPECT_EQ(store_buffering(std::memory_order_relaxed, {.seconds = 2, .values = false}),
            (std::set<unsigned>{1, 2, 3}));
}

TEST(Search, VisitsEveryOrderOfTwoTimesTwoSteps) {
  Outcomes outcomes;
  Outcome outcome = explore("Body", {.seconds = 2, .values = false}, run_of([&] {
                              unsigned word = 0;
                              std::mutex mutex;
                              auto two_steps = [&](unsigned me) {
                                for (int i = 0; i < 2; ++i) {
                                  std::lock_guard lock(mutex);
                                  word = word << 1 | me;
                                }
                              };
                              std::thread a(two_steps, 0u), b(two_steps, 1u);
                              a.join();
                              b.join();
                              outcomes.saw(word);
                            }));
  EXPECT_TRUE(outcome.exhausted);
  EXPECT_EQ(outcomes.all(), (std::set<unsigned>{0b0011, 0b0101, 0b0110, 0b1001, 0b1010, 0b1100}));
}

TEST(Search, NotifyOneMayWakeAnyWaiter) {
  Outcomes outcomes;
  Outcome outcome = explore("Body", {.seconds = 3, .values = false}, run_of([&] {
                              std::mutex mutex;
                              std::condition_variable changed;
                              int waiting = 0, tokens = 0;
                              unsigned first = 0;
                              auto wait = [&](unsigned me) {
                                std::unique_lock lock(mutex);
                                ++waiting;
                                changed.wait(lock, [&] { return tokens > 0; });
                                --tokens;
                                if (!first) first = me;
                              };
                              std::thread a(wait, 1u), b(wait, 2u);
                              for (int given = 0; given < 2;) {
                                std::lock_guard lock(mutex);
                                if (waiting < 2 && !given) continue;
                                ++tokens;
                                ++given;
                                changed.notify_one();
                              }
                              a.join();
                              b.join();
                              outcomes.saw(first);
                            }));
  EXPECT_EQ(outcome.status, Status::passed) << outcome.problem;
  EXPECT_EQ(outcomes.all(), (std::set<unsigned>{1, 2}));
}

TEST(Search, TheSameSeedSeesTheSame) {
  auto flawed = [] {
    std::atomic<int> turn{0};
    std::atomic<int> value{0};
    std::thread a([&] { value = turn.load() + 1; });
    std::thread b([&] {
      for (int i = 0; i < 3; ++i) ++turn;
    });
    a.join();
    b.join();
    CHECK(value != 3);
  };
  Limits limits{.seconds = 2, .seed = 7, .bound = 0};
  Outcome first = explore("Body", limits, run_of(flawed)),
          second = explore("Body", limits, run_of(flawed));
  EXPECT_EQ(first.status, Status::failed);
  EXPECT_EQ(first.schedules, second.schedules);
  EXPECT_EQ(write_token(first.token), write_token(second.token));
}

TEST(Search, ACounterexampleIsShrunkToItsOnePreemption) {
  Limits limits{.seconds = 2, .bound = 0, .values = false};
  Outcome outcome = explore("Body", limits, run_of([] {
                              std::atomic<int> count{0};
                              auto add = [&] {
                                int seen = count.load();
                                count.store(seen + 1);
                              };
                              std::thread a(add), b(add);
                              a.join();
                              b.join();
                              CHECK(count == 2);
                            }));
  EXPECT_EQ(outcome.status, Status::failed);
  EXPECT_EQ(outcome.token.decisions.size(), 1u);
}

TEST(Replay, OfATokenFailsTheSameWayAHundredTimes) {
  RunOnce run = run_of([] {
    std::mutex mutex;
    std::condition_variable changed;
    std::atomic<bool> set{false};
    std::thread setter([&] {
      set = true;
      changed.notify_one();
    });
    if (!set) {
      std::unique_lock lock(mutex);
      changed.wait(lock);
    }
    setter.join();
  });
  Outcome outcome = explore("Body", {.seconds = 1}, run);
  ASSERT_EQ(outcome.kind, FailureKind::lost_wakeup);
  std::optional<Token> token = read_token(write_token(outcome.token));
  ASSERT_TRUE(token);
  ASSERT_EQ(replay(*token, run), FailureKind::lost_wakeup);
  std::uint64_t path = shared_memory().path_hash;
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(replay(*token, run), FailureKind::lost_wakeup);
    ASSERT_EQ(shared_memory().path_hash, path);
  }
}

}  // namespace
}  // namespace explorer
