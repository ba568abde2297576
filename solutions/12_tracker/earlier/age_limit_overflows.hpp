// Adds the age to a time: the oldest age there is overflows, and everybody has reached it.
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
    const auto id = list_->add(where);
    auto ends = make_future<T>();
    watch(ends.first, id);
    return ends;
  }

  template <class T>
  Future<T> go(const Context& context, Fn<Result<T>(const Context&)> fn,
               std::source_location where = std::source_location::current()) {
    const auto id = list_->add(where);  // first: fn may be over before we watch it
    try {
      auto future = futures::go<T>(context, std::move(fn));
      watch(future, id);
      return future;
    } catch (...) {
      list_->remove(id);
      throw;
    }
  }

  std::vector<LeakInfo> report(std::chrono::nanoseconds older_than = {}) const {
    return list_->report(older_than);
  }

 private:
  class List {
   public:
    std::uint64_t add(const std::source_location& where) {
      const std::lock_guard lock(mutex_);
      pending_.emplace(++last_id_, Entry{where, Clock::now()});
      return last_id_;
    }

    void remove(std::uint64_t id) {
      const std::lock_guard lock(mutex_);
      pending_.erase(id);
    }

    std::vector<LeakInfo> report(std::chrono::nanoseconds older_than) const {
      std::vector<LeakInfo> found;
      const std::lock_guard lock(mutex_);
      const auto now = Clock::now();
      for (const auto& [id, entry] : pending_) {    // ids grow: the oldest comes first
        if (entry.since + older_than > now) break;  // and so is everything behind it
        found.push_back(LeakInfo{id, entry.where, now - entry.since});
      }
      return found;
    }

   private:
    struct Entry {
      std::source_location where;
      Clock::time_point since;
    };
    mutable std::mutex mutex_;
    std::uint64_t last_id_ = 0;
    std::map<std::uint64_t, Entry> pending_;
  };

  template <class T>
  void watch(const Future<T>& future, std::uint64_t id) {
    // Weak: the tracker may be gone by then.
    future.on_settled([list = std::weak_ptr(list_), id](const Result<T>&) {
      if (const auto alive = list.lock()) alive->remove(id);
    });
  }

  std::shared_ptr<List> list_ = std::make_shared<List>();
};

}  // namespace futures
