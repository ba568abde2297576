#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "flavour.hpp"

namespace workbook {

// What was observed, in which order: `history.add(2, "resolve(7) -> true")`. A failure that happens
// while a History is alive shows its lines.
//
// add() may be called from any thread and never waits. It orders nothing between two threads that
// both add, so it doesn't hide a race from ThreadSanitizer. Keeps the first 500 lines.
class History {
 public:
  History() {
    const std::lock_guard lock(alive().mutex);
    alive().list.push_back(this);
  }
  History(const History&) = delete;
  History& operator=(const History&) = delete;
  ~History() {
    const std::lock_guard lock(alive().mutex);
    std::erase(alive().list, this);
  }

  void add(std::string what) {
    const auto index = next_.fetch_add(1, std::memory_order_relaxed);
    if (index >= capacity) return;
    entries_[index].what = std::move(what);
    entries_[index].written.store(true, std::memory_order_release);
  }
  // With the name of the thread in front: "T2: resolve(7) -> true".
  void add(std::size_t thread, const std::string& what) {
    add("T" + std::to_string(thread) + ": " + what);
  }

  // The lines that are completely written by now.
  std::vector<std::string> lines() const {
    std::vector<std::string> result;
    const auto begun = std::min(next_.load(std::memory_order_relaxed), capacity);
    for (std::size_t i = 0; i < begun; ++i) {
      if (entries_[i].written.load(std::memory_order_acquire)) result.push_back(entries_[i].what);
    }
    return result;
  }

  // One numbered line each, "(… and 12 more)" at the end when not all were kept.
  std::string text() const {
    std::string result;
    std::size_t number = 0;
    for (const auto& line : lines()) result += std::to_string(++number) + ". " + line + "\n";
    const auto begun = next_.load(std::memory_order_relaxed);
    if (begun > capacity) {
      result += "(... and " + std::to_string(begun - capacity) + " more)\n";
    }
    return result;
  }

  // The text of every History that is alive.
  static std::string text_of_all() {
    const std::lock_guard lock(alive().mutex);
    std::string result;
    for (const auto* history : alive().list) result += history->text();
    return result;
  }

 private:
  static constexpr std::size_t capacity = flavour() == Flavour::explored ? 100 : 500;

  struct Entry {
    std::atomic<bool> written{false};  // `what` belongs to the adding thread until then
    std::string what;
  };

  struct Alive {
    std::mutex mutex;
    std::vector<const History*> list;  // guarded by mutex
  };
  static Alive& alive() {
    static auto* histories = new Alive;  // never destroyed: threads may outlive main()
    return *histories;
  }

  std::atomic<std::size_t> next_{0};
  std::unique_ptr<Entry[]> entries_ = std::make_unique<Entry[]>(capacity);
};

}  // namespace workbook
