// Task 13: a future whose producer works no longer than its consumers are willing to wait.
#pragma once

#include <optional>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

// A handle on work that go_with_deadline() has started. Copies refer to the same work; when the
// last one is gone, nobody can ask for the result any more, and the work's context is cancelled.
// Whoever ends that context runs its stop callbacks, and these may use the future: no lock then.
//
// T is any type that can be copied; it needs no default constructor. Everything may be called from
// many threads at once, but a handle must not be destroyed or assigned to while somebody calls its
// members. Only destroying and assigning to is allowed after a handle was moved from.
template <class T>
class DeadlineFuture {
 public:
  // What fn returned or, when ctx ends first, ctx's error. An outcome of fn that is there is
  // returned even when ctx has ended.
  //
  // When ctx has a deadline, fn's context has to keep it from now on: it tells that deadline, if it
  // had a later one or none, and ends then with Errc::deadline_exceeded. A deadline that has passed
  // already ends it at once. Nothing takes a deadline back: no later one, no awaiter without one,
  // and no awaiter that leaves because its ctx was cancelled. Starts no thread.
  Result<T> await([[maybe_unused]] const Context& ctx) { not_implemented(); }

  // The earliest deadline that an await has brought so far; nullopt while there was none.
  std::optional<Clock::time_point> deadline() const { not_implemented(); }

  // Ends fn's context with Errc::cancelled. The outcome is still what fn makes of that. Does
  // nothing when the context has ended already, or fn has returned.
  void cancel() { not_implemented(); }
};

// Starts fn on a thread of its own, at once, and returns at once. fn's context has no deadline
// until somebody awaits with one. An exception that leaves fn is an outcome too: an Error with
// code Errc::exception. When fn has returned, fn itself and its captures are destroyed, its context
// needs no timer any more, and its thread ends.
template <class T>
DeadlineFuture<T> go_with_deadline([[maybe_unused]] Fn<Result<T>(const Context&)> fn) {
  not_implemented();
}

}  // namespace futures
