// Wrong: whoever leaves takes the flight out of the table; bites who comes while others still wait.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

struct User {
  std::string id;
  std::string name;
  friend bool operator==(const User&, const User&) = default;
};

// Asks a backend for users. Callers who want the same user at the same time share one load, called
// a flight here: the first one starts it, the others join, each gets a copy of its outcome. Flights
// that are over are not remembered: this is no cache. They belong to one loader; another one may
// have another backend.
//
// Every member may be called from any number of threads at once. Nobody may be inside get() when
// the loader is destroyed; a load that all its callers have left may still be running then, and
// destroying the loader does not wait for it.
class UserLoader {
 public:
  // How to load one user. Is called on other threads, for different ids at the same time. Expected,
  // but can't be forced, to give up when its context ends. The id is good during the call.
  using Load = std::function<Result<User>(const Context&, const std::string&)>;

  explicit UserLoader(Load load) : state_(std::make_shared<State>(std::move(load))) {}
  UserLoader(const UserLoader&) = delete;
  UserLoader& operator=(const UserLoader&) = delete;

  // The outcome of the flight for this id, started by this call if there is none; or, when ctx ends
  // first, ctx's error. An outcome that is there wins. A ctx that has already ended starts nothing.
  // An exception that leaves the load is an Error with code Errc::exception; when the system has no
  // thread to give, the error is Errc::unavailable.
  //
  // The load's context has no deadline and ends when the last caller has left before there was an
  // outcome. Whoever comes after that gets a new flight.
  Result<User> get(const Context& ctx, const std::string& id) {
    State& state = *state_;
    std::unique_lock lock(state.mutex);
    // Flights in the table have no outcome yet: there is nothing that could win.
    if (auto ended = ctx.error()) return std::unexpected(*std::move(ended));
    std::shared_ptr<Flight> flight = state.find(id);
    try {
      if (!flight) flight = start(id);
    } catch (const std::system_error& no_thread) {
      return std::unexpected(Error{Errc::unavailable, no_thread.what()});
    }
    ++flight->callers;
    if (!flight->landed.wait(lock, ctx.stop_token(), [&] { return flight->outcome.has_value(); })) {
      leave(lock, id, flight);
      return std::unexpected(*ctx.error());
    }
    lock.unlock();  // an outcome no longer changes, so a thousand callers can copy it in parallel
    return *flight->outcome;
  }

  // Whoever calls get(id) after this gets a load that starts after this. Who shares a flight
  // already stays in it.
  void forget(const std::string& id) {
    const std::lock_guard lock(state_->mutex);
    state_->flights.erase(id);
  }

 private:
  // One call of the load function, and who waits for it.
  struct Flight {
    std::condition_variable_any landed;
    std::size_t callers = 0;  // guarded by State::mutex
    // Guarded by State::mutex until it is set, never changed after that.
    std::optional<Result<User>> outcome;
    // The load's own context. Not the first caller's: when that one loses patience, a hundred
    // patient ones would get its "cancelled".
    CancelSource lifetime = with_cancel(Context::background());
  };

  // Shared with the threads that load: a load which nobody waits for may outlive the loader.
  struct State {
    explicit State(Load l) : load(std::move(l)) {}

    std::shared_ptr<Flight> find(const std::string& id) const {
      const auto entry = flights.find(id);
      return entry == flights.end() ? nullptr : entry->second;
    }

    // Takes this flight out of the table. By name alone it could be another one: who was forgotten
    // or abandoned has a successor there.
    void remove(const std::string& id, const std::shared_ptr<Flight>& flight) {
      const auto entry = flights.find(id);
      if (entry != flights.end() && entry->second == flight) flights.erase(entry);
    }

    const Load load;  // called without the mutex
    std::mutex mutex;
    // The flights that may be joined: under way, with a caller, not forgotten. Guarded by mutex.
    std::unordered_map<std::string, std::shared_ptr<Flight>> flights;
  };

  // With the mutex held. Looking for a flight and starting one is one step: two callers who both
  // find none would start two.
  std::shared_ptr<Flight> start(const std::string& id) {
    auto flight = std::make_shared<Flight>();
    // On a thread of its own, not on the first caller's, who could not leave then. The id is
    // copied: the caller's may be gone before the load is.
    spawn([state = state_, id, flight] { fly(*state, id, flight); });
    state_->flights.emplace(id, flight);  // in time: the thread needs the mutex to land
    return flight;
  }

  static void fly(State& state, const std::string& id, const std::shared_ptr<Flight>& flight) {
    Result<User> outcome = call(state.load, flight->lifetime.context(), id);
    const std::lock_guard lock(state.mutex);
    flight->outcome = std::move(outcome);
    // In the same step: who has seen this outcome and asks again must not get it a second time.
    state.remove(id, flight);
    flight->landed.notify_all();
  }

  // Whatever the load throws becomes an Error: nobody is there on its thread to catch it, and the
  // callers need an answer.
  static Result<User> call(const Load& load, const Context& context, const std::string& id) {
    try {
      return load(context, id);
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  // The last one to leave cancels the load, and takes it out of the table in the same step as it
  // sees that it is the last: nobody can join in between. Cancelling itself runs stop callbacks of
  // the load, which may do anything, so that is done without the lock.
  void leave(std::unique_lock<std::mutex>& lock, const std::string& id,
             const std::shared_ptr<Flight>& flight) {
    state_->remove(id, flight);
    if (--flight->callers > 0) return;
    lock.unlock();
    flight->lifetime.cancel(Error{Errc::cancelled, "everybody who wanted this user has left"});
  }

  std::shared_ptr<State> state_;
};

}  // namespace futures
