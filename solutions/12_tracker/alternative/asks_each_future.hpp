// Right: no callback at all. It keeps a handle on each future, asks when a report is due, and drops
// those that have settled then.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <iterator>
#include <mutex>
#include <source_location>
#include <utility>
#include <vector>

#include "future.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

struct LeakInfo {
  std::uint64_t id;
  std::source_location where;
  std::chrono::nanoseconds age;
};

class Tracker {
 public:
  template <class T>
  std::pair<Future<T>, Resolver<T>> make(
      std::source_location where = std::source_location::current()) {
    auto ends = make_future<T>();
    track(ends.first, where);
    return ends;
  }

  template <class T>
  Future<T> go(const Context& context, Fn<Result<T>(const Context&)> fn,
               std::source_location where = std::source_location::current()) {
    auto future = futures::go<T>(context, std::move(fn));
    track(future, where);
    return future;
  }

  std::vector<LeakInfo> report(std::chrono::nanoseconds older_than = {}) const {
    std::vector<LeakInfo> leaks;
    std::vector<Entry> gone;  // destroyed after the lock: a result may own what calls us back
    const std::lock_guard lock(mutex_);
    const auto settled = std::ranges::stable_partition(
        entries_, [](const Entry& entry) { return !entry.settled(); });
    std::ranges::move(settled, std::back_inserter(gone));
    entries_.erase(settled.begin(), settled.end());
    const auto now = Clock::now();
    for (const auto& entry : entries_) {
      if (now - entry.born < older_than) continue;
      leaks.push_back({entry.id, entry.where, now - entry.born});
    }
    return leaks;
  }

 private:
  struct Entry {
    std::uint64_t id;
    std::source_location where;
    Clock::time_point born;
    std::function<bool()> settled;
  };

  template <class T>
  void track(const Future<T>& future, std::source_location where) {
    const std::lock_guard lock(mutex_);
    entries_.push_back({++last_id_, where, Clock::now(), [future] { return future.settled(); }});
  }

  mutable std::mutex mutex_;
  std::uint64_t last_id_ = 0;
  mutable std::vector<Entry> entries_;
};

}  // namespace futures
