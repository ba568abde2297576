// Right: every caller leaves a channel with the flight and receives from it under its own context.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "runtime/channel.hpp"
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

  Result<User> get(const Context& ctx, const std::string& id) {
    std::unique_lock lock(state_->mutex);
    auto& entry = state_->flights[id];
    if (!entry) entry = start(id);
    const auto flight = entry;
    const auto [mine, answer] = make_channel<Result<User>>(1);
    const auto place = flight->callers.insert(flight->callers.end(), mine);
    lock.unlock();
    if (auto outcome = answer.receive(ctx)) return *std::move(outcome);
    lock.lock();
    // All answers are sent under the lock: if there is one for this caller it is here by now.
    if (auto outcome = answer.try_receive()) return *std::move(outcome);
    flight->callers.erase(place);
    const bool last = flight->callers.empty();
    if (last) state_->remove(id, flight);
    lock.unlock();
    if (last) flight->lifetime.cancel();
    return std::unexpected(*ctx.error());
  }

  void forget(const std::string& id) {
    const std::lock_guard lock(state_->mutex);
    state_->flights.erase(id);
  }

 private:
  struct Flight {
    std::list<Sender<Result<User>>> callers;  // guarded by State::mutex
    CancelSource lifetime = with_cancel(Context::background());
  };

  struct State {
    explicit State(Load l) : load(std::move(l)) {}

    void remove(const std::string& id, const std::shared_ptr<Flight>& flight) {
      const auto entry = flights.find(id);
      if (entry != flights.end() && entry->second == flight) flights.erase(entry);
    }

    const Load load;
    std::mutex mutex;
    std::unordered_map<std::string, std::shared_ptr<Flight>> flights;  // guarded by mutex
  };

  std::shared_ptr<Flight> start(const std::string& id) {
    auto flight = std::make_shared<Flight>();
    spawn([state = state_, flight, id] {
      const auto outcome = call(state->load, flight->lifetime.context(), id);
      const std::lock_guard lock(state->mutex);
      state->remove(id, flight);
      for (const auto& caller : flight->callers) caller.send(outcome);
    });
    return flight;
  }

  static Result<User> call(const Load& load, const Context& context, const std::string& id) {
    try {
      return load(context, id);
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  std::shared_ptr<State> state_;
};

}  // namespace futures
