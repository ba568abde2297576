// Right: entries lie in eight hash maps with a lock each; report() visits them in turn and sorts.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <source_location>
#include <stop_token>
#include <unordered_map>
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

class Tracker {
 public:
  template <class T>
  std::pair<Future<T>, Resolver<T>> make(
      std::source_location where = std::source_location::current()) {
    auto [future, resolver] = make_future<T>();
    const auto id = fresh_id();
    const auto shelf = shelves_[id % shelves_.size()];
    {
      const std::lock_guard lock(shelf->mutex);
      shelf->entries.emplace(id, Entry{where, Clock::now()});
    }
    future.on_settled([shelf, id](const Result<T>&) {
      const std::lock_guard lock(shelf->mutex);
      shelf->entries.erase(id);
    });
    return {std::move(future), std::move(resolver)};
  }

  // A thread of its own, but the resolver of make(): the future is tracked before fn starts, and
  // it is gone from the book before the thread is done.
  template <class T>
  Future<T> go(const Context& context, Fn<Result<T>(const Context&)> fn,
               std::source_location where = std::source_location::current()) {
    auto [future, resolver] = make<T>(where);
    spawn([context, fn = std::move(fn), writer = std::move(resolver)]() mutable {
      Result<T> outcome = [&]() -> Result<T> {
        try {
          CancelSource source = with_cancel(context);
          const Context asked = writer.context();
          const std::stop_callback link(asked.stop_token(), [&] {
            source.cancel(asked.error().value_or(Error{Errc::cancelled, "cancelled"}));
          });
          return std::exchange(fn, nullptr)(source.context());
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

  // Not a snapshot of one instant: what is made or settled meanwhile may be in it or not.
  std::vector<LeakInfo> report(std::chrono::nanoseconds older_than = {}) const {
    std::vector<LeakInfo> found;
    const auto now = Clock::now();
    for (const auto& shelf : shelves_) {
      const std::lock_guard lock(shelf->mutex);
      for (const auto& [id, entry] : shelf->entries) {
        // An entry that was made after `now` is as young as can be.
        const std::chrono::nanoseconds age = std::max(now - entry.since, Clock::duration::zero());
        if (age >= older_than) found.push_back(LeakInfo{id, entry.where, age});
      }
    }
    std::ranges::sort(found, [](const LeakInfo& a, const LeakInfo& b) {
      return a.age != b.age ? a.age > b.age : a.id < b.id;
    });
    return found;
  }

 private:
  struct Entry {
    std::source_location where;
    Clock::time_point since;
  };

  // Shared with the callbacks, so that it outlives the tracker as long as one of them is pending.
  struct Shelf {
    std::mutex mutex;
    std::unordered_map<std::uint64_t, Entry> entries;  // guarded by mutex
  };

  // Unique in the whole process, whatever the tracker: an id in a log names one future.
  static std::uint64_t fresh_id() {
    static std::atomic<std::uint64_t> last = 1000;
    return ++last;
  }

  // Several shelves, so that threads that make and settle do not all meet at one lock.
  std::array<std::shared_ptr<Shelf>, 8> shelves_ = [] {
    std::array<std::shared_ptr<Shelf>, 8> shelves;
    for (auto& shelf : shelves) shelf = std::make_shared<Shelf>();
    return shelves;
  }();
};

}  // namespace futures
