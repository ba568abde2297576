// Wrong: the list holds weak pointers, and a report locks those that it reads; bites when a future
// settles while one report is being written: another report takes it for pending.
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

struct LeakInfo {
  std::uint64_t id;              // different for each future of a tracker
  std::source_location where;    // the call of make() or go()
  std::chrono::nanoseconds age;  // since that call, by the steady clock
};

namespace detail {

// Lives until its future is settled.
struct Tag {
  std::uint64_t id;
  std::source_location where;
  Clock::time_point since;
};

class Tags {
 public:
  std::shared_ptr<const Tag> issue(std::source_location where) {
    const std::lock_guard lock(mutex_);
    if (tags_.size() >= limit_) tidy();
    auto tag = std::make_shared<const Tag>(++last_id_, where, Clock::now());
    tags_.push_back(tag);
    return tag;
  }

  std::vector<std::shared_ptr<const Tag>> living() const {
    std::vector<std::shared_ptr<const Tag>> living;
    const std::lock_guard lock(mutex_);
    for (const auto& weak : tags_) {
      if (auto tag = weak.lock()) living.push_back(std::move(tag));
    }
    return living;
  }

 private:
  void tidy() {
    std::erase_if(tags_, [](const auto& tag) { return tag.expired(); });
    limit_ = std::max<std::size_t>(64, 2 * tags_.size());
  }

  mutable std::mutex mutex_;
  std::vector<std::weak_ptr<const Tag>> tags_;  // oldest first
  std::size_t limit_ = 64;
  std::uint64_t last_id_ = 0;
};

}  // namespace detail

class Tracker {
 public:
  template <class T>
  std::pair<Future<T>, Resolver<T>> make(
      std::source_location where = std::source_location::current()) {
    auto tag = tags_.issue(where);
    auto ends = make_future<T>();
    pin(ends.first, std::move(tag));
    return ends;
  }

  template <class T>
  Future<T> go(const Context& context, Fn<Result<T>(const Context&)> fn,
               std::source_location where = std::source_location::current()) {
    auto tag = tags_.issue(where);
    auto future = futures::go<T>(context, std::move(fn));
    pin(future, std::move(tag));
    return future;
  }

  std::vector<LeakInfo> report(std::chrono::nanoseconds older_than = {}) const {
    const auto living = tags_.living();
    const auto now = Clock::now();
    std::vector<LeakInfo> leaks;
    leaks.reserve(living.size());
    for (const auto& tag : living) {
      if (now - tag->since < older_than) break;
      leaks.push_back({tag->id, tag->where, now - tag->since});
    }
    return leaks;
  }

 private:
  // Nothing to take off a list, and nothing that could outlive the tracker: the tag just goes.
  template <class T>
  static void pin(const Future<T>& future, std::shared_ptr<const detail::Tag> tag) {
    future.on_settled([tag = std::move(tag)](const Result<T>&) mutable { tag.reset(); });
  }

  detail::Tags tags_;
};

}  // namespace futures
