// Wrong: settled entries leave a line only when they are at its front; bites when one future never
// settles: everything made after it stays in memory.
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

// Futures settle roughly in the order in which they were made: a line, and who is done is marked
// and leaves when it is at the front. Ids count up, so an entry is found by its distance from the
// front.
class Registry {
 public:
  using Key = std::uint64_t;

  Key add(std::source_location where) {
    const std::lock_guard lock(mutex_);
    line_.push_back({where, Clock::now(), false});
    return front_ + line_.size() - 1;
  }

  void remove(Key key) {
    const std::lock_guard lock(mutex_);
    line_[key - front_].settled = true;
    while (!line_.empty() && line_.front().settled) {
      line_.pop_front();
      ++front_;
    }
  }

  std::vector<LeakInfo> report(std::chrono::nanoseconds older_than) const {
    std::vector<LeakInfo> leaks;
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    auto id = front_;
    for (const Entry& entry : line_) {
      const auto age = now - entry.born;
      if (age < older_than) break;
      if (!entry.settled) leaks.push_back({id, entry.where, age});
      ++id;
    }
    return leaks;
  }

 private:
  struct Entry {
    std::source_location where;
    Clock::time_point born;
    bool settled;
  };

  mutable std::mutex mutex_;
  std::deque<Entry> line_;   // guarded by mutex_, as below
  std::uint64_t front_ = 1;  // the id of line_.front()
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
