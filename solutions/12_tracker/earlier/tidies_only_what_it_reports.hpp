// Wrong: settled futures are dropped by the next report, but only as far as it looks; bites when
// report(an hour) is asked every minute: results are kept for an hour after that.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
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

namespace detail {

// Holds a handle on each future and asks it. No callback, no place to sign off from.
class Registry {
 public:
  struct Entry {
    std::uint64_t id;
    std::source_location where;
    Clock::time_point born;
    std::function<bool()> settled;  // empty: is just being made
  };
  using Place = std::list<Entry>::iterator;

  Place add(std::source_location where) {
    std::list<Entry> done;  // destroyed after the lock is released: a result is the user's code
    const std::lock_guard lock(mutex_);
    // Now and then everything is looked through, so that it can't grow without bound: the work is
    // shared by as many futures as were made since.
    if (entries_.size() >= next_sweep_) {
      tidy(entries_.end(), done);
      next_sweep_ = 2 * entries_.size() + 1000;
    }
    return entries_.insert(entries_.end(), Entry{++last_id_, where, Clock::now(), nullptr});
  }

  // Nobody else removes an entry that has no question to ask.
  void watch(Place place, std::function<bool()> settled) {
    const std::lock_guard lock(mutex_);
    place->settled = std::move(settled);
  }

  void remove(Place place) {
    const std::lock_guard lock(mutex_);
    entries_.erase(place);
  }

  std::vector<LeakInfo> report(std::chrono::nanoseconds older_than) {
    std::vector<LeakInfo> leaks;
    std::list<Entry> done;  // destroyed after the lock is released, as above
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    // In the order of age: what comes behind the first young one does not interest us.
    const auto young = std::ranges::find_if(
        entries_, [&](const Entry& entry) { return now - entry.born < older_than; });
    tidy(young, done);
    for (auto entry = entries_.begin(); entry != young; ++entry) {
      leaks.push_back({entry->id, entry->where, now - entry->born});
    }
    return leaks;
  }

 private:
  void tidy(std::list<Entry>::iterator end, std::list<Entry>& done) {
    for (auto entry = entries_.begin(); entry != end;) {
      const auto here = entry++;
      if (here->settled && here->settled()) done.splice(done.end(), entries_, here);
    }
  }

  std::mutex mutex_;
  std::list<Entry> entries_;  // guarded by mutex_, as below; oldest first
  std::uint64_t last_id_ = 0;
  std::size_t next_sweep_ = 1000;
};

}  // namespace detail

class Tracker {
 public:
  template <class T>
  std::pair<Future<T>, Resolver<T>> make(
      std::source_location where = std::source_location::current()) {
    Draft draft(*registry_, where);
    auto ends = make_future<T>();
    draft.watch(ends.first);
    return ends;
  }

  template <class T>
  Future<T> go(const Context& context, Fn<Result<T>(const Context&)> fn,
               std::source_location where = std::source_location::current()) {
    Draft draft(*registry_, where);
    auto future = futures::go<T>(context, std::move(fn));
    draft.watch(future);
    return future;
  }

  std::vector<LeakInfo> report(std::chrono::nanoseconds older_than = {}) const {
    return registry_->report(older_than);
  }

 private:
  // An entry whose future is still being made. When that fails, the entry goes, too.
  class Draft {
   public:
    Draft(detail::Registry& registry, std::source_location where)
        : registry_(registry), place_(registry.add(where)) {}
    Draft(const Draft&) = delete;
    Draft& operator=(const Draft&) = delete;
    ~Draft() {
      if (!watched_) registry_.remove(place_);
    }

    template <class T>
    void watch(const Future<T>& future) {
      registry_.watch(place_, [future] { return future.settled(); });
      watched_ = true;
    }

   private:
    detail::Registry& registry_;
    detail::Registry::Place place_;
    bool watched_ = false;
  };

  const std::unique_ptr<detail::Registry> registry_ = std::make_unique<detail::Registry>();
};

}  // namespace futures
