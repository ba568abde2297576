// Wrong: go() is make() and a thread that runs fn under the caller's context itself, so cancel() on
// the future ends a context that nobody looks at; bites when somebody cancels a future of go(): fn
// never hears of it (the caller's deadline, cancellation and reason all arrive).
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <source_location>
#include <utility>
#include <vector>

#include "future.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

struct LeakInfo {
  std::uint64_t id;
  std::source_location where;
  std::chrono::nanoseconds age;
};

namespace detail {

class PendingList {
 public:
  struct Entry {
    std::uint64_t id;
    std::source_location where;
    Clock::time_point born;
  };
  using Place = std::list<Entry>::iterator;

  Place add(std::source_location where) {
    const std::lock_guard lock(mutex_);
    return entries_.insert(entries_.end(), Entry{++last_id_, where, Clock::now()});
  }

  void remove(Place place) {
    const std::lock_guard lock(mutex_);
    entries_.erase(place);
  }

  std::vector<LeakInfo> older_than(std::chrono::nanoseconds limit) const {
    std::vector<LeakInfo> leaks;
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    for (const Entry& entry : entries_) {
      const std::chrono::nanoseconds age = now - entry.born;
      if (age < limit) break;
      leaks.push_back({entry.id, entry.where, age});
    }
    return leaks;
  }

 private:
  mutable std::mutex mutex_;
  std::list<Entry> entries_;  // guarded by mutex_; in the order of age
  std::uint64_t last_id_ = 0;
};

class PendingEntry {
 public:
  PendingEntry(std::shared_ptr<PendingList> list, std::source_location where)
      : list_(std::move(list)), place_(list_->add(where)) {}
  PendingEntry(PendingEntry&&) noexcept = default;
  PendingEntry& operator=(PendingEntry&&) = delete;
  ~PendingEntry() { remove(); }
  void remove() {
    if (const auto list = std::exchange(list_, nullptr)) list->remove(place_);
  }

 private:
  std::shared_ptr<PendingList> list_;
  PendingList::Place place_;
};

}  // namespace detail

class Tracker {
 public:
  template <class T>
  std::pair<Future<T>, Resolver<T>> make(
      std::source_location where = std::source_location::current()) {
    detail::PendingEntry entry(list_, where);
    auto ends = make_future<T>();
    ends.first.on_settled([entry = std::move(entry)](const Result<T>&) mutable { entry.remove(); });
    return ends;
  }

  template <class T>
  Future<T> go(const Context& context, Fn<Result<T>(const Context&)> fn,
               std::source_location where = std::source_location::current()) {
    auto [future, resolver] = make<T>(where);
    spawn([context, fn = std::move(fn), writer = std::move(resolver)]() mutable {
      Result<T> outcome = [&]() -> Result<T> {
        try {
          return std::exchange(fn, nullptr)(context);
        } catch (...) {
          return std::unexpected(error_from_current_exception());
        }
      }();
      if (outcome) {
        writer.resolve(*std::move(outcome));
      } else {
        writer.reject(std::move(outcome).error());
      }
    });
    return future;
  }

  std::vector<LeakInfo> report(std::chrono::nanoseconds older_than = {}) const {
    return list_->older_than(older_than);
  }

 private:
  std::shared_ptr<detail::PendingList> list_ = std::make_shared<detail::PendingList>();
};

}  // namespace futures
