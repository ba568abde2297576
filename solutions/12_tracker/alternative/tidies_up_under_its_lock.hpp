// Right: the list holds the futures themselves, and whoever makes one or asks for a report lets go
// of those that have settled.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <source_location>
#include <utility>
#include <vector>

#include "future.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

// Given: a future that is not settled. Perhaps a leak, perhaps just young.
struct LeakInfo {
  std::uint64_t id;              // different for each future of a tracker
  std::source_location where;    // the call of make() or go()
  std::chrono::nanoseconds age;  // since that call, by the steady clock
};

class Tracker {
 public:
  template <class T>
  std::pair<Future<T>, Resolver<T>> make(
      std::source_location where = std::source_location::current()) {
    const auto id = enlist(where);
    auto ends = make_future<T>();
    watch(ends.first, id);
    return ends;
  }

  template <class T>
  Future<T> go(const Context& context, Fn<Result<T>(const Context&)> fn,
               std::source_location where = std::source_location::current()) {
    const auto id = enlist(where);  // before fn runs, and perhaps looks
    try {
      auto future = futures::go<T>(context, std::move(fn));
      watch(future, id);
      return future;
    } catch (...) {
      watch(Future<T>(), id, /*settled=*/true);
      throw;
    }
  }

  std::vector<LeakInfo> report(std::chrono::nanoseconds older_than = {}) const {
    std::vector<LeakInfo> found;
    const std::lock_guard lock(mutex_);
    reap();
    const auto now = Clock::now();
    for (const auto& [id, entry] : entries_) {
      const auto age = now - entry.since;
      if (age >= older_than) found.push_back(LeakInfo{id, entry.where, age});
    }
    std::ranges::sort(found, older);
    return found;
  }

 private:
  // No callbacks: an entry has a handle on its future and asks it. Nobody needs to tell the
  // tracker, and nobody can meet a tracker that is gone.
  struct Entry {
    std::source_location where;
    Clock::time_point since;
    std::move_only_function<bool() const> probe;  // none: the future is still being made
    bool settled() const { return probe && probe(); }
  };

  static bool older(const LeakInfo& a, const LeakInfo& b) {
    return a.age != b.age ? a.age > b.age : a.id < b.id;
  }

  template <class T>
  void watch(const Future<T>& future, std::uint64_t id, bool settled = false) {
    const std::lock_guard lock(mutex_);
    entries_.at(id).probe = [future, settled] { return settled || future.settled(); };
  }

  std::uint64_t enlist(const std::source_location& where) {
    const auto since = Clock::now();
    const std::lock_guard lock(mutex_);
    if (entries_.size() >= reap_at_) reap();
    entries_.emplace(++last_id_, Entry{where, since, {}});
    return last_id_;
  }

  // With the mutex held.
  void reap() const {
    std::erase_if(entries_, [](const auto& item) { return item.second.settled(); });
    reap_at_ = std::max<std::size_t>(64, 2 * entries_.size());
  }

  mutable std::mutex mutex_;
  mutable std::map<std::uint64_t, Entry> entries_;  // guarded by mutex_, as all below
  std::uint64_t last_id_ = 0;
  mutable std::size_t reap_at_ = 64;  // twice what was alive last time: cheap in the long run
};

}  // namespace futures
