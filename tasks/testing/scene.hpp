// For predict.cpp: what happens when, on the explorer's virtual clock, which moves only when
// everybody waits. A scene says what it saw with workbook::observed() (report.hpp).
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace workbook {

// The time since the scene began.
class SceneClock {
 public:
  std::chrono::steady_clock::duration elapsed() const {
    return std::chrono::steady_clock::now() - begin_;
  }

  // Lets the scene go on until so long after its beginning.
  void sleep_until(std::chrono::steady_clock::duration after_begin) const {
    std::this_thread::sleep_until(begin_ + after_begin);
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

// The first answer whose time is not exceeded: {{1s, "after one second"}, {10s, "after ten"}}. A
// little more than that, for code that polls, still counts as on time.
inline std::string answer_for(
    std::chrono::steady_clock::duration took,
    const std::vector<std::pair<std::chrono::steady_clock::duration, std::string>>& answers,
    const std::string& otherwise = "never") {
  for (const auto& [time, answer] : answers) {
    if (took <= time + time / 4 + std::chrono::milliseconds(1)) return answer;
  }
  return otherwise;
}

// Capture presence() in a function: gone() tells whether the function, and so whoever ran it, is
// done with its captures.
class Footprint {
 public:
  std::shared_ptr<int> presence() { return std::exchange(presence_, nullptr); }
  bool gone() const { return watch_.expired(); }

 private:
  std::shared_ptr<int> presence_ = std::make_shared<int>(0);
  std::weak_ptr<int> watch_ = presence_;
};

}  // namespace workbook
