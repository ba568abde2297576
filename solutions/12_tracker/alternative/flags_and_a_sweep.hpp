// Right: settling only raises a flag; reports skip the entries of settled futures, and whoever
// makes a future sweeps them out when there are twice as many as were left by the sweep before.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <shared_mutex>
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
    const auto born = Clock::now();
    auto future = futures::go<T>(context, std::move(fn));
    track(future, where, born);
    return future;
  }

  std::vector<LeakInfo> report(std::chrono::nanoseconds older_than = {}) const {
    std::vector<LeakInfo> leaks;
    const std::shared_lock lock(mutex_);
    const auto now = Clock::now();
    for (const auto& entry : entries_) {
      if (entry->settled || now - entry->born < older_than) continue;
      leaks.push_back({entry->id, entry->where, now - entry->born});
    }
    std::ranges::sort(leaks, std::ranges::greater(), &LeakInfo::age);
    return leaks;
  }

 private:
  struct Entry {
    std::uint64_t id;
    std::source_location where;
    Clock::time_point born;
    std::atomic<bool> settled{false};
  };

  template <class T>
  void track(const Future<T>& future, std::source_location where,
             Clock::time_point born = Clock::now()) {
    auto entry = std::make_shared<Entry>(last_id_.fetch_add(1) + 1, where, born);
    {
      const std::unique_lock lock(mutex_);
      if (entries_.size() >= sweep_at_) {
        std::erase_if(entries_, [](const auto& old) { return old->settled.load(); });
        sweep_at_ = 2 * entries_.size() + 64;
      }
      entries_.push_back(entry);
    }
    future.on_settled([entry](const Result<T>&) { entry->settled = true; });
  }

  std::atomic<std::uint64_t> last_id_{0};
  mutable std::shared_mutex mutex_;
  std::vector<std::shared_ptr<Entry>> entries_;
  std::size_t sweep_at_ = 64;
};

}  // namespace futures
