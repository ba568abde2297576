// Wrong: sixteen shards, each aged by a clock that is read when its turn comes, and the report
// sorted by these ages; bites when two futures were made within less time than the report takes
// from shard to shard: the younger comes first.
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

// One lock for all futures of the program would be a bottleneck: sixteen of them.
class Registry {
 public:
  using Key = std::uint64_t;

  Key add(std::source_location where) {
    const Key key = ++last_;
    Shard& shard = shards_[key % shards_.size()];
    const std::lock_guard lock(shard.mutex);
    shard.entries.emplace(key, Entry{where, Clock::now()});
    return key;
  }

  void remove(Key key) {
    Shard& shard = shards_[key % shards_.size()];
    const std::lock_guard lock(shard.mutex);
    shard.entries.erase(key);
  }

  std::vector<LeakInfo> report(std::chrono::nanoseconds older_than) const {
    std::vector<LeakInfo> leaks;
    for (const Shard& shard : shards_) {
      const std::lock_guard lock(shard.mutex);
      const auto now = Clock::now();
      for (const auto& [key, entry] : shard.entries) {
        const auto age = now - entry.born;
        if (age >= older_than) leaks.push_back({key, entry.where, age});
      }
    }
    std::ranges::sort(leaks, std::ranges::greater(), &LeakInfo::age);
    return leaks;
  }

 private:
  struct Entry {
    std::source_location where;
    Clock::time_point born;
  };
  struct Shard {
    mutable std::mutex mutex;
    std::map<Key, Entry> entries;  // guarded by mutex
  };

  std::atomic<Key> last_{0};
  std::array<Shard, 16> shards_;
};

// One future's entry, until end(). Move-only.
class Registration {
 public:
  Registration(std::shared_ptr<Registry> registry, std::source_location where)
      : registry_(std::move(registry)), key_(registry_->add(where)) {}
  Registration(Registration&&) noexcept = default;
  Registration& operator=(Registration&&) = delete;
  ~Registration() { end(); }

  void end() {
    if (const auto registry = std::exchange(registry_, nullptr)) registry->remove(key_);
  }

 private:
  std::shared_ptr<Registry> registry_;  // null: moved from, or ended
  Registry::Key key_;
};

}  // namespace detail

class Tracker {
 public:
  template <class T>
  std::pair<Future<T>, Resolver<T>> make(
      std::source_location where = std::source_location::current()) {
    detail::Registration registration(registry_, where);
    auto ends = make_future<T>();
    watch(ends.first, std::move(registration));
    return ends;
  }

  template <class T>
  Future<T> go(const Context& context, Fn<Result<T>(const Context&)> fn,
               std::source_location where = std::source_location::current()) {
    detail::Registration registration(registry_, where);
    auto future = futures::go<T>(context, std::move(fn));
    watch(future, std::move(registration));
    return future;
  }

  std::vector<LeakInfo> report(std::chrono::nanoseconds older_than = {}) const {
    return registry_->report(older_than);
  }

 private:
  template <class T>
  static void watch(const Future<T>& future, detail::Registration registration) {
    future.on_settled(
        [registration = std::move(registration)](const Result<T>&) mutable { registration.end(); });
  }

  const std::shared_ptr<detail::Registry> registry_ = std::make_shared<detail::Registry>();
};

}  // namespace futures
