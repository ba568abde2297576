// Wrong: go() is built on make() and passes the context's end on as a plain cancel; bites when fn
// looks at its deadline, or at why it was stopped.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <source_location>
#include <stop_token>
#include <utility>
#include <vector>

#include "future.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

// A future that is not settled: perhaps a leak, perhaps just young.
struct LeakInfo {
  std::uint64_t id;              // different for each future of a tracker
  std::source_location where;    // the call of make() or go()
  std::chrono::nanoseconds age;  // since that call, by the steady clock
};

namespace detail {

// The unsettled futures of one tracker. Shared by the tracker and by the futures themselves, so
// that they can sign off when the tracker is gone.
class UnsettledList {
 public:
  struct Entry {
    std::uint64_t id;
    std::source_location where;
    Clock::time_point born;
  };
  using Place = std::list<Entry>::iterator;

  Place add(std::source_location where) {
    const std::lock_guard lock(mutex_);
    // The clock is read under the lock: so the list is in the order of age, and nobody has to sort.
    return entries_.insert(entries_.end(), Entry{++last_id_, where, Clock::now()});
  }

  void remove(Place place) {
    const std::lock_guard lock(mutex_);
    entries_.erase(place);
  }

  std::vector<LeakInfo> report(std::chrono::nanoseconds older_than) const {
    std::vector<LeakInfo> leaks;
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    for (const Entry& entry : entries_) {
      const auto age = now - entry.born;
      if (age < older_than) break;  // the rest is younger still
      leaks.push_back({entry.id, entry.where, age});
    }
    return leaks;
  }

 private:
  mutable std::mutex mutex_;
  std::list<Entry>
      entries_;  // guarded by mutex_, as below; a list: places stay good, O(1) to leave
  std::uint64_t last_id_ = 0;
};

// One future's place on the list, from construction to end(). Move-only.
class Registration {
 public:
  Registration(std::shared_ptr<UnsettledList> list, std::source_location where)
      : list_(std::move(list)), place_(list_->add(where)) {}
  Registration(Registration&&) noexcept = default;
  Registration& operator=(Registration&&) = delete;
  ~Registration() { end(); }

  void end() {
    if (const auto list = std::exchange(list_, nullptr)) list->remove(place_);
  }

 private:
  std::shared_ptr<UnsettledList> list_;  // null: moved from, or ended
  UnsettledList::Place place_;
};

}  // namespace detail

// Makes futures and remembers each of them until it settles. What has been on the list for long is
// a future somebody waits for in vain, and a producer that was lost.
//
// It costs a list entry and a callback per future, no thread. Every member may be called from any
// thread. The tracker may be destroyed before its futures, which then settle as if it had never
// been.
class Tracker {
 public:
  // As make_future<T>(), and on the list until settled. `where` is left to its default, so that it
  // becomes the line of the call.
  template <class T>
  std::pair<Future<T>, Resolver<T>> make(
      std::source_location where = std::source_location::current()) {
    detail::Registration registration(unsettled_, where);
    auto ends = make_future<T>();
    watch(ends.first, std::move(registration));
    return ends;
  }

  // As futures::go<T>(context, fn), and on the list until settled.
  template <class T>
  Future<T> go(const Context& context, Fn<Result<T>(const Context&)> fn,
               std::source_location where = std::source_location::current()) {
    // Listed before it starts: fn may ask for a report, too. Not built on make(): the location that
    // make() would see by itself is this line, which is nobody's fault.
    detail::Registration registration(unsettled_, where);
    auto [future, resolver] = make_future<T>();
    watch(future, std::move(registration));
    spawn([fn = std::move(fn), context, future, resolver = std::move(resolver)]() mutable {
      Result<T> outcome = [&]() -> Result<T> {
        // fn's context ends with the given one, and when the future is cancelled.
        const std::stop_callback link(context.stop_token(), [&future] { future.cancel(); });
        try {
          return std::exchange(fn, nullptr)(resolver.context());
        } catch (...) {
          return std::unexpected(error_from_current_exception());
        }
      }();
      if (outcome) {
        resolver.resolve(*std::move(outcome));
      } else {
        resolver.reject(std::move(outcome).error());
      }
    });
    return future;
  }

  // The futures that are unsettled and at least that old, oldest first. One whose resolve(),
  // reject() or whose resolver's destructor has returned is not among them any more.
  std::vector<LeakInfo> report(std::chrono::nanoseconds older_than = {}) const {
    return unsettled_->report(older_than);
  }

 private:
  // Why not a thread that awaits each future? It costs a thread, and it takes a while to notice: a
  // report in between would blame a future that is settled. The callback runs while settling does.
  //
  // No lock is held here, for a future that has settled already runs the callback on the spot. And
  // it owns its share of the list: `this` may be gone by the time it runs.
  template <class T>
  static void watch(const Future<T>& future, detail::Registration registration) {
    future.on_settled(
        [registration = std::move(registration)](const Result<T>&) mutable { registration.end(); });
  }

  const std::shared_ptr<detail::UnsettledList> unsettled_ =
      std::make_shared<detail::UnsettledList>();
};

}  // namespace futures
