// What back-pressure is for, measured: four stages, the last of them slow, and a producer that
// could flood them. Once with bounded queues, yours, and once with queues that take everything.
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <gtest/gtest.h>
#include <malloc.h>
#include <memory>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include "backpressure.hpp"
#include "suite_unbounded.hpp"
#include "testing/kit.hpp"

namespace backpressure_suite {

using namespace futures;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;
using workbook::forever;

constexpr int items = 800;
constexpr auto slow_work = 2ms;
constexpr auto producers_pace = 500us;  // four times as fast
constexpr std::size_t capacity = 8;
constexpr std::size_t queues = 5;
constexpr std::size_t stages = 4;
constexpr std::size_t block_bytes = std::size_t{64} << 10;
// What bounded queues hold at most, with a value in the hands of each stage, the producer and the
// consumer.
constexpr std::size_t most_blocks = queues * capacity + stages + 2;
// Stacks of threads, what the allocator keeps: what a chain of this size costs besides its values.
constexpr double slack_mib = 8;
constexpr double least_share = 0.95;
constexpr int attempts = 3;

// A value that weighs something, and is counted.
class Block {
 public:
  explicit Block(int n) : number(n), bytes_(new char[block_bytes]) {
    std::fill_n(bytes_.get(), block_bytes, static_cast<char>(n));
    const auto now = live_.fetch_add(1) + 1;
    auto most = most_.load();
    while (now > most && !most_.compare_exchange_weak(most, now)) {
    }
  }
  Block(Block&& other) noexcept = default;
  Block& operator=(Block&& other) noexcept {
    std::swap(number, other.number);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Block() {
    if (bytes_) live_.fetch_sub(1);
  }

  static void start_counting() { most_ = live_.load(); }
  static std::size_t most() { return most_; }

  int number;

 private:
  std::unique_ptr<char[]> bytes_;
  static inline std::atomic<std::size_t> live_{0};
  static inline std::atomic<std::size_t> most_{0};
};

double resident_mib() {
  std::ifstream statm("/proc/self/statm");
  double total = 0;
  double resident = 0;
  statm >> total >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1 << 20);
}

// The slow stage, and how much of its time it was at work. Used by one thread at a time.
class SlowStage {
 public:
  Block operator()(Block block) {
    const auto start = Clock::now();
    if (done_ == 0) first_ = start;
    std::this_thread::sleep_for(slow_work);
    last_ = Clock::now();
    busy_ += last_ - start;
    ++done_;
    return block;
  }

  // Only when the stage is over.
  double share() const { return Seconds(busy_) / Seconds(last_ - first_); }
  double per_second() const { return done_ / Seconds(last_ - first_).count(); }
  double own_speed() const { return done_ / Seconds(busy_).count(); }

 private:
  Clock::time_point first_;
  Clock::time_point last_;
  Clock::duration busy_{};
  int done_ = 0;
};

// One run of a chain.
struct Run {
  double share = 0;       // of the time from its first to its last value, the slow stage worked
  double per_second = 0;  // values that came out
  double own_speed = 0;   // of the slow stage, waiting left out
  double grown_mib = 0;   // resident memory at its highest, above the start
  std::size_t blocks = 0;
  std::string memory;  // "seconds:MiB" ...
  std::string output;  // "seconds:values" ...
};

// Looks at memory and output while it lives.
class Watch {
 public:
  Watch(Run& run, const std::atomic<int>& out) : run_(run), out_(out) {
    ::malloc_trim(0);
    start_mib_ = resident_mib();
    thread_ = std::jthread([this](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        look();
        std::this_thread::sleep_for(10ms);
      }
      look();
    });
  }

 private:
  void look() {
    const double seconds = Seconds(Clock::now() - start_).count();
    const double mib = resident_mib();
    run_.grown_mib = std::max(run_.grown_mib, mib - start_mib_);
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "%.3f:%.1f ", seconds, mib);
    if (run_.memory.size() < 30'000) run_.memory += text.data();
    std::snprintf(text.data(), text.size(), "%.3f:%d ", seconds, out_.load());
    if (run_.output.size() < 30'000) run_.output += text.data();
  }

  Run& run_;
  const std::atomic<int>& out_;
  const Clock::time_point start_ = Clock::now();
  double start_mib_ = 0;
  std::jthread thread_;
};

// make(slow) -> a pair of functions: push(Block), which returns at the end of the input, and
// pull() -> bool.
template <class Make>
Run run(Make make) {
  Run result;
  std::atomic<int> out{0};
  SlowStage slow;
  {
    Block::start_counting();
    const Watch watch(result, out);
    auto [push, pull] = make(slow);
    std::jthread producer([&feed = push] {
      // By the clock, so that a producer that was held up by the machine catches up.
      const auto start = Clock::now();
      for (int i = 0; i < items; ++i) {
        std::this_thread::sleep_until(start + i * producers_pace);
        feed(Block(i));
      }
      feed.close();
    });
    while (pull()) ++out;
  }
  EXPECT_EQ(out, items) << "values were lost on the way";
  result.blocks = Block::most();
  result.share = slow.share();
  result.per_second = slow.per_second();
  result.own_speed = slow.own_speed();
  return result;
}

struct BoundedPush {
  Intake<Block> intake;
  void operator()(Block block) const { (void)intake.push(forever, std::move(block)); }
  void close() const { intake.close(); }
};

Run run_bounded() {
  return run([](SlowStage& slow) {
    auto [intake, head] = make_chain<Block>(forever, capacity);
    const auto pass = [](const Context&, Block block) -> Result<Block> { return block; };
    auto one = then<Block>(std::move(head), capacity, pass);
    auto two = then<Block>(std::move(one), capacity, pass);
    auto three = then<Block>(std::move(two), capacity, pass);
    auto last = then<Block>(
        std::move(three), capacity,
        [&slow](const Context&, Block block) -> Result<Block> { return slow(std::move(block)); });
    return std::pair(BoundedPush{std::move(intake)},
                     [end = std::move(last)] { return end.pull(forever).has_value(); });
  });
}

struct UnboundedPush {
  unbounded_suite::Chain<Block> head;
  void operator()(Block block) const { head->push(std::move(block)); }
  void close() const { head->close(); }
};

Run run_unbounded() {
  return run([](SlowStage& slow) {
    auto head = std::make_shared<unbounded_suite::Queue<Block>>();
    const auto pass = [](Block block) { return block; };
    auto one = unbounded_suite::then<Block>(head, pass);
    auto two = unbounded_suite::then<Block>(one, pass);
    auto three = unbounded_suite::then<Block>(two, pass);
    auto last = unbounded_suite::then<Block>(
        three, [&slow](Block block) { return slow(std::move(block)); });
    return std::pair(UnboundedPush{head}, [last] { return last->pull().has_value(); });
  });
}

// Both, measured in turns until the slow stage of ours was as busy as it must be, or it is clear
// that this is no accident. Measured once for all tests.
struct Comparison {
  Run bounded;
  Run unbounded;
  bool starved = false;  // not even the queue that is always full kept the slow stage at work

  Comparison() {
    double best_unbounded = 0;
    for (int attempt = 0; attempt < attempts; ++attempt) {
      auto ours = run_bounded();  // first: what the other one leaves behind would blur the memory
      auto theirs = run_unbounded();
      best_unbounded = std::max(best_unbounded, theirs.share);
      if (attempt == 0 || ours.share > bounded.share) {
        bounded = std::move(ours);
        unbounded = std::move(theirs);
      }
      if (bounded.share >= least_share) break;
    }
    starved = best_unbounded < least_share + 0.02;
  }
};

const Comparison& measured() {
  static const Comparison comparison;
  return comparison;
}

std::string rounded(double number, const std::string& unit = "") {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.1f", number);
  return text.data() + (unit.empty() ? unit : " " + unit);
}

TEST(Measured, MemoryStaysWithinWhatTheQueuesMayHold) {
  const auto& [ours, theirs, starved] = measured();
  const double input_mib = static_cast<double>(items * block_bytes) / (1 << 20);
  const double bound_mib = static_cast<double>(most_blocks * block_bytes) / (1 << 20);
  workbook::observed("input, values of 64 KiB", rounded(input_mib, "MiB"));
  workbook::observed("memory grew, unbounded queues", rounded(theirs.grown_mib, "MiB"));
  workbook::observed("memory grew, yours", rounded(ours.grown_mib, "MiB") + " (at most " +
                                               rounded(bound_mib + slack_mib, "MiB") + ")");
  workbook::observed("values under way, unbounded queues", std::to_string(theirs.blocks));
  workbook::observed("values under way, yours", std::to_string(ours.blocks) + " (at most " +
                                                    std::to_string(most_blocks) + ")");
  workbook::observed("chart | resident memory, MiB | s | yours", ours.memory);
  workbook::observed("chart | resident memory, MiB | s | unbounded queues", theirs.memory);
  if (theirs.grown_mib < bound_mib + slack_mib) {
    workbook::inconclusive("the producer got too little time to flood even unbounded queues");
    GTEST_SKIP();
  }
  EXPECT_LE(ours.blocks, most_blocks)
      << "values under way at the same time, with " << queues << " queues of " << capacity
      << " and " << stages << " stages: memory grows with the input";
  EXPECT_LE(ours.grown_mib, bound_mib + slack_mib)
      << "resident memory, in MiB, has grown beyond what the queues may hold";
}

TEST(Measured, TheSlowStageHardlyEverWaits) {
  const auto& [ours, theirs, starved] = measured();
  workbook::observed("values per second, the slow stage alone", rounded(ours.own_speed));
  workbook::observed("values per second, unbounded queues", rounded(theirs.per_second));
  workbook::observed("values per second, yours", rounded(ours.per_second));
  workbook::observed("the slow stage was at work, unbounded queues",
                     rounded(100 * theirs.share, "% of the time"));
  workbook::observed("the slow stage was at work, yours",
                     rounded(100 * ours.share, "% of the time") + " (at least 95)");
  workbook::observed("chart | values that came out | s | yours", ours.output);
  workbook::observed("chart | values that came out | s | unbounded queues", theirs.output);
  if (ours.share < least_share && starved) {
    workbook::inconclusive("the machine kept even unbounded queues from feeding the slow stage");
    GTEST_SKIP();
  }
  EXPECT_GE(ours.share, least_share)
      << "of the time, the slow stage was at work; the rest it waited for values, although there "
         "were always more: the stages before it must be ready before it needs them";
}

}  // namespace backpressure_suite
