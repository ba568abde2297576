// Task 12: who never settled, how old is it, and which line made it?
#pragma once

#include <chrono>
#include <cstdint>
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

// Makes futures and remembers each of them until it settles. What has been on the list for long is
// a future somebody waits for in vain, and a producer that was lost.
//
// No thread per future. Every member may be called from any thread. The tracker may be destroyed
// before its futures, which then settle as if it had never been.
class Tracker {
 public:
  // As make_future<T>(), and in the report until settled. `where` is left to its default, so that
  // it becomes the line of the call.
  template <class T>
  std::pair<Future<T>, Resolver<T>> make(
      [[maybe_unused]] std::source_location where = std::source_location::current()) {
    not_implemented();
  }

  // As futures::go<T>(context, fn), and in the report until settled.
  template <class T>
  Future<T> go([[maybe_unused]] const Context& context,
               [[maybe_unused]] Fn<Result<T>(const Context&)> fn,
               [[maybe_unused]] std::source_location where = std::source_location::current()) {
    not_implemented();
  }

  // The futures that are unsettled and at least that old, oldest first. One whose resolve(),
  // reject() or whose resolver's destructor has returned is not among them any more.
  std::vector<LeakInfo> report([[maybe_unused]] std::chrono::nanoseconds older_than = {}) const {
    not_implemented();
  }
};

}  // namespace futures
