// Task 8: many callers ask for the same user at the same time; the backend is asked once.
#pragma once

#include <functional>
#include <string>

#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

// Given: what is loaded. --------------------------------------------------------------------------

struct User {
  std::string id;
  std::string name;
  friend bool operator==(const User&, const User&) = default;
};

// To do. ------------------------------------------------------------------------------------------

// Asks a backend for users. Callers who want the same user at the same time share one load: the
// first one starts it, the others join, each gets a copy of its outcome. A failure is forgotten
// when it is over; a user may be kept until forget(), or not.
//
// Every member may be called from any number of threads at once. Nobody may be inside get() when
// the loader is destroyed; a load that all its callers have left may still be running then.
class UserLoader {
 public:
  // How to load one user. Is called on other threads, for different ids at the same time. Expected,
  // but can't be forced, to give up when its context ends. The id is good during the call.
  using Load = std::function<Result<User>(const Context&, const std::string&)>;

  explicit UserLoader([[maybe_unused]] Load load) { not_implemented(); }
  UserLoader(const UserLoader&) = delete;
  UserLoader& operator=(const UserLoader&) = delete;

  // What the load of this id returns that is under way, or else of a new one that this call starts;
  // or, when ctx ends first, ctx's error, at once: also for the caller who started the load. An
  // outcome that is there wins. An exception that leaves the load is an Error with code
  // Errc::exception.
  //
  // The load's context is not ctx: it has no deadline and ends when the last caller has left before
  // there was an outcome. Whoever comes after that gets a new load, and does not wait for the old
  // one. The load runs without any lock of the loader, as do the stop callbacks of its context: it
  // may ask this loader for other ids.
  Result<User> get([[maybe_unused]] const Context& ctx, [[maybe_unused]] const std::string& id) {
    not_implemented();
  }

  // Whoever calls get(id) after this gets a load that starts after this. Who shares a load already
  // keeps it. Does nothing when there is none.
  void forget([[maybe_unused]] const std::string& id) { not_implemented(); }
};

}  // namespace futures
