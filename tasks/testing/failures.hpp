// Counting and keeping GoogleTest failures. For stress() and property(); tests don't need it.
#pragma once

#include <atomic>
#include <gtest/gtest.h>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace workbook::detail {

// How many expectations have failed in the running test. Exact when no other thread is busy.
inline int failures_so_far() {
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  if (test == nullptr) return 0;
  int count = 0;
  for (int i = 0; i < test->result()->total_part_count(); ++i) {
    if (test->result()->GetTestPartResult(i).failed()) ++count;
  }
  return count;
}

// While a property looks for its smallest counterexample the same expectation fails many times:
// those failures are kept here, and only the last case's are shown.
class KeptFailures {
 public:
  static KeptFailures& instance() {
    static auto* kept = new KeptFailures;  // never destroyed: threads may outlive main()
    return *kept;
  }

  void start() { keeping_.store(true, std::memory_order_relaxed); }
  void stop() { keeping_.store(false, std::memory_order_relaxed); }
  bool keeping() const { return keeping_.load(std::memory_order_relaxed); }

  void add(std::string message) {
    const std::lock_guard lock(mutex_);
    messages_.push_back(std::move(message));
  }
  std::vector<std::string> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(messages_, {});
  }

 private:
  std::atomic<bool> keeping_{false};
  std::mutex mutex_;
  std::vector<std::string> messages_;  // guarded by mutex_
};

}  // namespace workbook::detail
