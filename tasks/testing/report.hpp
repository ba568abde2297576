// What tests and the kit's helpers tell the program's main(), which knows where a report has to go.
// Tests need the two functions at the top; a main of another kind (the explorer has one) reads the
// rest.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace workbook {

// Says that this machine could not run the test properly: no thread to be had, a disk is full.
// Whoever calls it also fails or skips the test. The verdict becomes "inconclusive".
void inconclusive(std::string reason);

// Says what really happened in a scenario whose outcome the learner was asked to predict:
// observed("when does the producer end", "when fn returns"). Belongs to the running test.
void observed(std::string question, std::string answer);

namespace report {

// Counted per test by stress() and property(); main() takes them when the test ends.
inline std::atomic<long> stress_rounds{0};
inline std::atomic<long> property_cases{0};

// Chooses the random parts of stresses and properties; main() sets it from WORKBOOK_SEED.
inline std::atomic<std::uint64_t> seed{1};

// Threads that belong to the kit or a sanitizer and not to the test; main() sets it.
inline std::atomic<std::size_t> own_threads{0};

// Where a running stress is. A thread of the stress has a number, others have none.
inline std::atomic<std::size_t> rounds_total{0};  // 0: no stress is running
inline std::atomic<std::size_t> rounds_begun{0};
inline std::atomic<std::size_t> stress_threads{0};
inline constexpr std::size_t no_thread = static_cast<std::size_t>(-1);
inline thread_local std::size_t stress_thread = no_thread;

// Where this thread is in the running stress: "in round 17 of 50, on thread 3 of 8 (counting from
// 0)"; empty outside of one.
inline std::string place() {
  const auto total = rounds_total.load(std::memory_order_relaxed);
  if (total == 0) return {};
  const auto begun = rounds_begun.load(std::memory_order_relaxed);
  if (begun == 0) return {};
  std::string text = "in round " + std::to_string(begun - 1) + " of " + std::to_string(total);
  if (stress_thread != no_thread) {
    text += ", on thread " + std::to_string(stress_thread) + " of " +
            std::to_string(stress_threads.load(std::memory_order_relaxed));
  }
  return text + " (counting from 0)";
}

namespace detail {

struct Notes {
  std::mutex mutex;
  // Guarded by mutex:
  std::vector<std::string> reasons;
  std::vector<std::pair<std::string, std::string>> observations;

  // Never destroyed: a detached thread may still write while main() returns.
  static Notes& instance() {
    static auto* notes = new Notes;
    return *notes;
  }
};

}  // namespace detail

// The reasons given to inconclusive() since the last call.
inline std::vector<std::string> take_inconclusive() {
  auto& notes = detail::Notes::instance();
  const std::lock_guard lock(notes.mutex);
  return std::exchange(notes.reasons, {});
}

// The questions and answers given to observed() since the last call.
inline std::vector<std::pair<std::string, std::string>> take_observations() {
  auto& notes = detail::Notes::instance();
  const std::lock_guard lock(notes.mutex);
  return std::exchange(notes.observations, {});
}

}  // namespace report

inline void inconclusive(std::string reason) {
  auto& notes = report::detail::Notes::instance();
  const std::lock_guard lock(notes.mutex);
  notes.reasons.push_back(std::move(reason));
}

inline void observed(std::string question, std::string answer) {
  auto& notes = report::detail::Notes::instance();
  const std::lock_guard lock(notes.mutex);
  notes.observations.emplace_back(std::move(question), std::move(answer));
}

}  // namespace workbook
