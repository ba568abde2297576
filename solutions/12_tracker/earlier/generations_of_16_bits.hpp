// Wrong: tells the futures of one slot apart by 16 bits; bites when a slot has been used 65,536
// times: ids come back.
#pragma once

#include <algorithm>
#include <chrono>
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

// What a tracker knows. Callbacks hold it weakly, so that it goes with the tracker.
// Entries live in slots that are used again; a number is a slot and how often it was used.
class TrackerTable {
 public:
  std::uint64_t add(const std::source_location& where) {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(slots_.size()));
      slots_.emplace_back();
    }
    const std::uint32_t index = free_.back();
    free_.pop_back();
    Slot& slot = slots_[index];
    ++slot.generation;
    slot.used = true;
    slot.where = where;
    slot.since = Clock::now();
    slot.order = ++last_order_;
    return number(index, slot);
  }

  void remove(std::uint64_t id) {
    const auto index = static_cast<std::uint32_t>(id >> generation_bits);
    const std::lock_guard lock(mutex_);
    Slot& slot = slots_[index];
    if (!slot.used || number(index, slot) != id) return;
    slot.used = false;
    free_.push_back(index);
  }

  std::vector<LeakInfo> report(std::chrono::nanoseconds older_than) const {
    std::vector<std::pair<std::uint64_t, LeakInfo>> found;
    {
      const std::lock_guard lock(mutex_);
      const auto now = Clock::now();
      for (std::uint32_t index = 0; index < slots_.size(); ++index) {
        const Slot& slot = slots_[index];
        if (!slot.used) continue;
        const std::chrono::nanoseconds age = now - slot.since;
        if (age >= older_than)
          found.push_back({slot.order, {number(index, slot), slot.where, age}});
      }
    }
    std::ranges::sort(found, {}, [](const auto& entry) { return entry.first; });
    std::vector<LeakInfo> leaks;
    leaks.reserve(found.size());
    for (auto& entry : found) leaks.push_back(entry.second);
    return leaks;
  }

 private:
  static constexpr int generation_bits = 16;

  struct Slot {
    std::uint16_t generation = 0;
    bool used = false;
    std::source_location where;
    Clock::time_point since;
    std::uint64_t order = 0;
  };

  static std::uint64_t number(std::uint32_t index, const Slot& slot) {
    return (std::uint64_t{index} << generation_bits) | slot.generation;
  }

  mutable std::mutex mutex_;
  std::vector<Slot> slots_;  // guarded by mutex_, as all below
  std::vector<std::uint32_t> free_;
  std::uint64_t last_order_ = 0;
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
    watch(pair.first, table_->add(where));
    return pair;
  }

  template <class T>
  Future<T> go(const Context& context, Fn<Result<T>(const Context&)> fn,
               std::source_location where = std::source_location::current()) {
    const auto id = table_->add(where);  // first: fn may be over before go() returns
    try {
      auto future = futures::go<T>(context, std::move(fn));
      watch(future, id);
      return future;
    } catch (...) {
      table_->remove(id);
      throw;
    }
  }

  std::vector<LeakInfo> report(std::chrono::nanoseconds older_than = {}) const {
    return table_->report(older_than);
  }

 private:
  template <class T>
  void watch(const Future<T>& future, std::uint64_t id) {
    future.on_settled([table = std::weak_ptr(table_), id](const Result<T>&) {
      if (const auto alive = table.lock()) alive->remove(id);
    });
  }

  std::shared_ptr<detail::TrackerTable> table_ = std::make_shared<detail::TrackerTable>();
};

}  // namespace futures
