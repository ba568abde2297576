// Wrong: go() under a context that has ended makes no thread for it, but a future that is rejected
// with the context's error; bites when fn has something to do all the same: it is never called, and
// its value never comes.
#pragma once

#include <chrono>
#include <cstdint>
#include <iterator>
#include <list>
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
    auto ends = make_future<T>();
    watch(ends.first, add(*list_, where));
    return ends;
  }

  template <class T>
  Future<T> go(const Context& context, Fn<Result<T>(const Context&)> fn,
               std::source_location where = std::source_location::current()) {
    if (auto over = context.error()) {
      // A thread is dear, and this one would only be told to stop.
      auto [future, resolver] = make<T>(where);
      resolver.reject(std::move(*over));
      return future;
    }
    const auto list = list_;
    const auto entry = add(*list, where);
    auto future = [&] {
      try {
        return futures::go<T>(context, std::move(fn));
      } catch (...) {
        remove(*list, entry);  // there is no such future
        throw;
      }
    }();
    future.on_settled([list, entry](const Result<T>&) { remove(*list, entry); });
    return future;
  }

  std::vector<LeakInfo> report(std::chrono::nanoseconds older_than = {}) const {
    const std::lock_guard lock(list_->mutex);
    std::vector<LeakInfo> leaks;
    const auto now = Clock::now();
    for (const auto& entry : list_->entries) {
      const std::chrono::nanoseconds age = now - entry.made;
      if (age < older_than) break;  // all others are younger
      leaks.push_back(LeakInfo{entry.id, entry.where, age});
    }
    return leaks;
  }

 private:
  struct Entry {
    std::uint64_t id;
    std::source_location where;
    Clock::time_point made;
  };
  using Place = std::list<Entry>::iterator;

  // Shared with the callbacks, which may run when the tracker is gone.
  struct List {
    std::mutex mutex;
    std::list<Entry> entries;  // the oldest first; guarded by mutex, as is last_id
    std::uint64_t last_id = 0;
  };

  static Place add(List& list, std::source_location where) {
    const std::lock_guard lock(list.mutex);
    list.entries.push_back(Entry{++list.last_id, where, Clock::now()});
    return std::prev(list.entries.end());
  }

  static void remove(List& list, Place entry) {
    const std::lock_guard lock(list.mutex);
    list.entries.erase(entry);
  }

  template <class T>
  void watch(const Future<T>& future, Place entry) const {
    future.on_settled([list = list_, entry](const Result<T>&) { remove(*list, entry); });
  }

  std::shared_ptr<List> list_ = std::make_shared<List>();
};

}  // namespace futures
