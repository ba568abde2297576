// Wrong: births and deaths are written into two logs, each with a lock of its own, and whoever
// brings the table up to date empties the births first and the deaths second; bites when a future
// is made and settled between the two looks (another thread does both while a report is under way):
// its death finds no entry and is thrown away, its birth is entered the next time, and the settled
// future is in every report from then on.
#pragma once

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

class TrackerLogs {
 public:
  // Making and settling only append to a short log, and never wait for a report that is being
  // written.
  std::uint64_t birth(std::source_location where) {
    std::uint64_t id = 0;
    bool full = false;
    {
      const std::lock_guard lock(births_mutex_);
      id = ++last_id_;
      births_.push_back({id, where, Clock::now()});
      full = births_.size() >= kFull;
    }
    if (full) tidy_up();
    return id;
  }

  void death(std::uint64_t id) {
    bool full = false;
    {
      const std::lock_guard lock(deaths_mutex_);
      deaths_.push_back(id);
      full = deaths_.size() >= kFull;
    }
    if (full) tidy_up();
  }

  std::vector<LeakInfo> older_than(std::chrono::nanoseconds limit) {
    std::vector<LeakInfo> leaks;
    const std::lock_guard lock(table_mutex_);
    update();
    const auto now = Clock::now();
    for (const auto& [id, entry] : table_) {  // ids are given in the order of birth
      const std::chrono::nanoseconds age = now - entry.born;
      if (age < limit) break;
      leaks.push_back({id, entry.where, age});
    }
    return leaks;
  }

 private:
  static constexpr std::size_t kFull = 1024;

  struct Entry {
    std::uint64_t id;
    std::source_location where;
    Clock::time_point born;
  };

  void tidy_up() {
    const std::lock_guard lock(table_mutex_);
    update();
  }

  // With table_mutex_ held. Births first, so that each death finds its entry.
  void update() {
    std::vector<Entry> births;
    {
      const std::lock_guard lock(births_mutex_);
      births.swap(births_);
    }
    for (const Entry& entry : births) table_.emplace_hint(table_.end(), entry.id, entry);
    std::vector<std::uint64_t> deaths;
    {
      const std::lock_guard lock(deaths_mutex_);
      deaths.swap(deaths_);
    }
    for (const std::uint64_t id : deaths) table_.erase(id);
  }

  std::mutex births_mutex_;
  std::vector<Entry> births_;  // guarded by births_mutex_
  std::uint64_t last_id_ = 0;  // this, too
  std::mutex deaths_mutex_;
  std::vector<std::uint64_t> deaths_;     // guarded by deaths_mutex_
  std::mutex table_mutex_;                // locked before the other two
  std::map<std::uint64_t, Entry> table_;  // guarded by table_mutex_
};

class TrackedLife {
 public:
  TrackedLife(std::shared_ptr<TrackerLogs> logs, std::source_location where)
      : logs_(std::move(logs)), id_(logs_->birth(where)) {}
  TrackedLife(TrackedLife&&) noexcept = default;
  TrackedLife& operator=(TrackedLife&&) = delete;
  ~TrackedLife() { end(); }
  void end() {
    if (const auto logs = std::exchange(logs_, nullptr)) logs->death(id_);
  }

 private:
  std::shared_ptr<TrackerLogs> logs_;
  std::uint64_t id_;
};

}  // namespace detail

class Tracker {
 public:
  template <class T>
  std::pair<Future<T>, Resolver<T>> make(
      std::source_location where = std::source_location::current()) {
    detail::TrackedLife life(logs_, where);
    auto ends = make_future<T>();
    ends.first.on_settled([life = std::move(life)](const Result<T>&) mutable { life.end(); });
    return ends;
  }

  template <class T>
  Future<T> go(const Context& context, Fn<Result<T>(const Context&)> fn,
               std::source_location where = std::source_location::current()) {
    detail::TrackedLife life(logs_, where);
    auto future = futures::go<T>(context, std::move(fn));
    future.on_settled([life = std::move(life)](const Result<T>&) mutable { life.end(); });
    return future;
  }

  std::vector<LeakInfo> report(std::chrono::nanoseconds older_than = {}) const {
    return logs_->older_than(older_than);
  }

 private:
  std::shared_ptr<detail::TrackerLogs> logs_ = std::make_shared<detail::TrackerLogs>();
};

}  // namespace futures
