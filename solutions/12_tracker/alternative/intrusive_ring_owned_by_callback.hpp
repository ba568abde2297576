// Right: the callback owns the entry: a node in an intrusive list, freed with it; one lock for all
// trackers of the program.
#pragma once

#include <chrono>
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
  std::uint64_t id;
  std::source_location where;
  std::chrono::nanoseconds age;
};

namespace detail {

// The head of a tracker's ring of nodes, and each node: it points at its neighbours, nobody owns it
// but who made it. A node that is alone points at itself.
struct Ring {
  Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // Never destroyed: futures may settle while main() returns.
  static std::mutex& mutex() {
    static auto* mutex = new std::mutex;
    return *mutex;
  }

  // All below: with the mutex held.
  void insert_before(Ring& other) {
    previous = other.previous;
    next = &other;
    previous->next = this;
    next->previous = this;
  }
  void unlink() {
    previous->next = next;
    next->previous = previous;
    previous = next = this;
  }

  Ring* previous = this;
  Ring* next = this;
};

struct Unsettled : Ring {
  std::uint64_t id = 0;
  std::source_location where;
  Clock::time_point born;

  struct Farewell {
    void operator()(Unsettled* node) const {
      {
        const std::lock_guard lock(Ring::mutex());
        node->unlink();
      }
      delete node;
    }
  };
  using Owner = std::unique_ptr<Unsettled, Farewell>;
};

}  // namespace detail

class Tracker {
 public:
  Tracker() = default;
  Tracker(const Tracker&) = delete;
  Tracker& operator=(const Tracker&) = delete;
  // The nodes stay in a ring without a head: they can leave it, but nobody looks at it any more.
  ~Tracker() {
    const std::lock_guard lock(detail::Ring::mutex());
    head_.unlink();
  }

  template <class T>
  std::pair<Future<T>, Resolver<T>> make(
      std::source_location where = std::source_location::current()) {
    auto node = enlist(where);
    auto ends = make_future<T>();
    ends.first.on_settled([node = std::move(node)](const Result<T>&) mutable { node.reset(); });
    return ends;
  }

  template <class T>
  Future<T> go(const Context& context, Fn<Result<T>(const Context&)> fn,
               std::source_location where = std::source_location::current()) {
    auto node = enlist(where);
    auto future = futures::go<T>(context, std::move(fn));
    future.on_settled([node = std::move(node)](const Result<T>&) mutable { node.reset(); });
    return future;
  }

  std::vector<LeakInfo> report(std::chrono::nanoseconds older_than = {}) const {
    std::vector<LeakInfo> leaks;
    const std::lock_guard lock(detail::Ring::mutex());
    const auto now = Clock::now();
    for (const detail::Ring* at = head_.next; at != &head_; at = at->next) {
      const auto& node = static_cast<const detail::Unsettled&>(*at);
      if (now - node.born < older_than) break;
      leaks.push_back({node.id, node.where, now - node.born});
    }
    return leaks;
  }

 private:
  detail::Unsettled::Owner enlist(std::source_location where) {
    detail::Unsettled::Owner node(new detail::Unsettled);
    node->where = where;
    const std::lock_guard lock(detail::Ring::mutex());
    node->id = ++last_id_;
    node->born = Clock::now();
    node->insert_before(head_);
    return node;
  }

  detail::Ring head_;  // guarded by the one mutex, as below
  std::uint64_t last_id_ = 0;
};

}  // namespace futures
