// Right, and odd: event sourcing. A birth and an end are records that are pushed on a lock-free
// stack, a journal; the table of what is pending is only brought up to date by a report, or by
// whoever writes the 256th record since the last time. The record of the end is allocated at birth,
// so settling allocates nothing.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
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

struct LeakInfo {
  std::uint64_t id;
  std::source_location where;
  std::chrono::nanoseconds age;
};

namespace detail {

class TrackerJournal {
 public:
  using Key = std::pair<Clock::time_point, std::uint64_t>;

  struct Record {
    bool birth;
    Key key;
    std::source_location where;
    Record* below = nullptr;
  };

  TrackerJournal() = default;
  TrackerJournal(const TrackerJournal&) = delete;
  TrackerJournal& operator=(const TrackerJournal&) = delete;
  ~TrackerJournal() {
    for (Record* record = top_.load(); record != nullptr;) {
      delete std::exchange(record, record->below);
    }
  }

  Key new_key() {
    const std::uint64_t id = last_id_.fetch_add(1) + 1;
    return {Clock::now(), id};
  }

  void write(std::unique_ptr<Record> written) {
    const std::size_t unread =
        unread_.fetch_add(1) + 1;  // before the push: never less than there are
    Record* record = written.release();
    record->below = top_.load();
    while (!top_.compare_exchange_weak(record->below, record)) {
    }
    if (unread >= 256) {
      const std::lock_guard lock(mutex_);
      fold();
    }
  }

  std::vector<LeakInfo> pending(std::chrono::nanoseconds older_than) {
    std::vector<LeakInfo> leaks;
    const std::lock_guard lock(mutex_);
    fold();
    const auto now = Clock::now();
    for (const auto& [key, where] : table_) {
      const std::chrono::nanoseconds age = now - key.first;
      if (age < older_than) break;
      leaks.push_back({key.second, where, age});
    }
    return leaks;
  }

 private:
  // With mutex_ held. A birth is pushed before its end, so it is in the same batch or in an earlier
  // one, and batches are taken one at a time.
  void fold() {
    Record* newest = top_.exchange(nullptr);
    Record* oldest = nullptr;
    while (newest != nullptr) {
      Record* const next = newest->below;
      newest->below = oldest;
      oldest = newest;
      newest = next;
    }
    std::size_t count = 0;
    while (oldest != nullptr) {
      const std::unique_ptr<Record> record(std::exchange(oldest, oldest->below));
      if (record->birth) {
        table_.emplace(record->key, record->where);
      } else {
        table_.erase(record->key);
      }
      ++count;
    }
    unread_.fetch_sub(count);
  }

  std::atomic<std::uint64_t> last_id_{0};
  std::atomic<Record*> top_{nullptr};
  std::atomic<std::size_t> unread_{0};
  std::mutex mutex_;
  std::map<Key, std::source_location> table_;  // guarded by mutex_; the oldest first
};

// An entry, from its birth on. Whoever holds it has the record of its end in the pocket.
class TrackerEntry {
 public:
  TrackerEntry(std::shared_ptr<TrackerJournal> journal, std::source_location where)
      : journal_(std::move(journal)) {
    const auto key = journal_->new_key();
    end_ = std::make_unique<TrackerJournal::Record>(false, key, where);
    journal_->write(std::make_unique<TrackerJournal::Record>(true, key, where));
  }
  TrackerEntry(TrackerEntry&&) noexcept = default;
  TrackerEntry& operator=(TrackerEntry&&) = delete;
  ~TrackerEntry() { close(); }

  void close() {
    if (end_) journal_->write(std::move(end_));
  }

 private:
  std::shared_ptr<TrackerJournal> journal_;
  std::unique_ptr<TrackerJournal::Record> end_;
};

}  // namespace detail

class Tracker {
 public:
  template <class T>
  std::pair<Future<T>, Resolver<T>> make(
      std::source_location where = std::source_location::current()) {
    detail::TrackerEntry entry(journal_, where);
    auto ends = make_future<T>();
    watch(ends.first, std::move(entry));
    return ends;
  }

  template <class T>
  Future<T> go(const Context& context, Fn<Result<T>(const Context&)> fn,
               std::source_location where = std::source_location::current()) {
    detail::TrackerEntry entry(journal_, where);
    auto future = futures::go<T>(context, std::move(fn));
    watch(future, std::move(entry));
    return future;
  }

  std::vector<LeakInfo> report(std::chrono::nanoseconds older_than = {}) const {
    return journal_->pending(older_than);
  }

 private:
  template <class T>
  static void watch(const Future<T>& future, detail::TrackerEntry entry) {
    future.on_settled([entry = std::move(entry)](const Result<T>&) mutable { entry.close(); });
  }

  std::shared_ptr<detail::TrackerJournal> journal_ = std::make_shared<detail::TrackerJournal>();
};

}  // namespace futures
