// Wrong: drops results while it holds its lock; bites when a result's destructor asks the tracker.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
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

namespace detail {

// What a tracker knows of one future of whatever type.
struct TrackedBase {
  virtual ~TrackedBase() = default;
  virtual bool settled() const = 0;

  std::uint64_t id = 0;
  std::source_location where;
  Clock::time_point since;
};

template <class T>
struct Tracked final : TrackedBase {
  explicit Tracked(Future<T> f) : future(std::move(f)) {}
  bool settled() const override { return future.settled(); }
  Future<T> future;
};

}  // namespace detail

// Makes futures and remembers each of them until it settles. What has been on the list for long is
// a future somebody waits for in vain, and a producer that was lost.
//
// No thread per future. Every member may be called from any thread. The tracker may be destroyed
// before its futures, which then settle as if it had never been.
class Tracker {
 public:
  template <class T>
  std::pair<Future<T>, Resolver<T>> make(
      std::source_location where = std::source_location::current()) {
    auto pair = make_future<T>();
    add(pair.first, where);
    return pair;
  }

  template <class T>
  Future<T> go(const Context& context, Fn<Result<T>(const Context&)> fn,
               std::source_location where = std::source_location::current()) {
    auto future = futures::go<T>(context, std::move(fn));
    add(future, where);
    return future;
  }

  std::vector<LeakInfo> report(std::chrono::nanoseconds older_than = {}) const {
    std::vector<LeakInfo> leaks;
    const std::lock_guard lock(mutex_);
    sweep();
    const auto now = Clock::now();
    for (const auto& entry : entries_) {
      const std::chrono::nanoseconds age = now - entry->since;
      if (age < older_than) break;  // the rest is younger still
      leaks.push_back({entry->id, entry->where, age});
    }
    return leaks;
  }

 private:
  using Entries = std::vector<std::unique_ptr<detail::TrackedBase>>;

  template <class T>
  void add(const Future<T>& future, const std::source_location& where) {
    auto entry = std::make_unique<detail::Tracked<T>>(future);
    entry->where = where;
    const std::lock_guard lock(mutex_);
    // Looking through all of them pays when there are twice as many as the last time.
    if (entries_.size() >= sweep_at_) {
      sweep();
      sweep_at_ = 2 * entries_.size() + 16;
    }
    entry->id = ++last_id_;
    entry->since = Clock::now();
    entries_.push_back(std::move(entry));
  }

  // With the lock held. Keeps the order.
  void sweep() const {
    std::erase_if(entries_, [](const auto& entry) { return entry->settled(); });
  }

  mutable std::mutex mutex_;
  mutable Entries entries_;    // guarded by mutex_, oldest first
  std::uint64_t last_id_ = 0;  // guarded by mutex_
  std::size_t sweep_at_ = 16;  // guarded by mutex_
};

}  // namespace futures
