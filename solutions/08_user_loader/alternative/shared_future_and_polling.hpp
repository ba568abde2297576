// Right: a std::shared_future per flight, and callers who look every millisecond whether it is
// ready or their context has ended.
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
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

class UserLoader {
 public:
  using Load = std::function<Result<User>(const Context&, const std::string&)>;

  explicit UserLoader(Load load) : state_(std::make_shared<State>(std::move(load))) {}
  UserLoader(const UserLoader&) = delete;
  UserLoader& operator=(const UserLoader&) = delete;

  // A context that has ended starts a load all the same, and cancels it a moment later.
  Result<User> get(const Context& ctx, const std::string& id) {
    const auto flight = join(id);
    while (flight->future.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) {
      if (!ctx.done()) continue;
      if (!leave(id, *flight)) break;  // it has landed in this moment
      return std::unexpected(*ctx.error());
    }
    return flight->future.get();
  }

  void forget(const std::string& id) {
    const std::lock_guard lock(state_->mutex);
    state_->flights.erase(id);
  }

 private:
  struct Flight {
    std::promise<Result<User>> promise;
    std::shared_future<Result<User>> future = promise.get_future().share();
    int callers = 0;      // guarded by State::mutex
    bool landed = false;  // guarded by State::mutex
    CancelSource lifetime = with_cancel(Context::background());
  };

  struct State {
    explicit State(Load l) : load(std::move(l)) {}

    void remove(const std::string& id, const Flight& flight) {
      const auto entry = flights.find(id);
      if (entry != flights.end() && entry->second.get() == &flight) flights.erase(entry);
    }

    const Load load;
    std::mutex mutex;
    std::map<std::string, std::shared_ptr<Flight>> flights;  // guarded by mutex
  };

  std::shared_ptr<Flight> join(const std::string& id) {
    const std::lock_guard lock(state_->mutex);
    auto& entry = state_->flights[id];
    if (!entry) {
      entry = std::make_shared<Flight>();
      spawn([state = state_, flight = entry, id] { fly(*state, *flight, id); });
    }
    ++entry->callers;
    return entry;
  }

  bool leave(const std::string& id, Flight& flight) {
    std::unique_lock lock(state_->mutex);
    if (flight.landed) return false;
    const bool last = --flight.callers == 0;
    if (last) state_->remove(id, flight);
    lock.unlock();
    if (last) flight.lifetime.cancel();
    return true;
  }

  static void fly(State& state, Flight& flight, const std::string& id) {
    Result<User> outcome = std::unexpected(Error{});
    try {
      outcome = state.load(flight.lifetime.context(), id);
    } catch (...) {
      outcome = std::unexpected(error_from_current_exception());
    }
    const std::lock_guard lock(state.mutex);
    flight.landed = true;
    state.remove(id, flight);
    flight.promise.set_value(std::move(outcome));
  }

  std::shared_ptr<State> state_;
};

}  // namespace futures
