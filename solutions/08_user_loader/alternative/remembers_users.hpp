// Right: keeps a user that was loaded until it is forgotten; failures are not kept.
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

class UserLoader {
 public:
  using Load = std::function<Result<User>(const Context&, const std::string&)>;

  explicit UserLoader(Load load) : state_(std::make_shared<State>(std::move(load))) {}
  UserLoader(const UserLoader&) = delete;
  UserLoader& operator=(const UserLoader&) = delete;

  Result<User> get(const Context& ctx, const std::string& id) {
    State& state = *state_;
    std::unique_lock lock(state.mutex);
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
    lock.unlock();
    return *flight->outcome;
  }

  void forget(const std::string& id) {
    const std::lock_guard lock(state_->mutex);
    state_->flights.erase(id);
  }

 private:
  struct Flight {
    std::condition_variable_any landed;
    std::size_t callers = 0;
    std::optional<Result<User>> outcome;
    CancelSource lifetime = with_cancel(Context::background());
  };

  struct State {
    explicit State(Load l) : load(std::move(l)) {}

    std::shared_ptr<Flight> find(const std::string& id) const {
      const auto entry = flights.find(id);
      return entry == flights.end() ? nullptr : entry->second;
    }

    void remove(const std::string& id, const std::shared_ptr<Flight>& flight) {
      const auto entry = flights.find(id);
      if (entry != flights.end() && entry->second == flight) flights.erase(entry);
    }

    const Load load;
    std::mutex mutex;
    std::unordered_map<std::string, std::shared_ptr<Flight>> flights;
  };

  std::shared_ptr<Flight> start(const std::string& id) {
    auto flight = std::make_shared<Flight>();
    spawn([state = state_, id, flight] { fly(*state, id, flight); });
    state_->flights.emplace(id, flight);
    return flight;
  }

  static void fly(State& state, const std::string& id, const std::shared_ptr<Flight>& flight) {
    Result<User> outcome = call(state.load, flight->lifetime.context(), id);
    const std::lock_guard lock(state.mutex);
    flight->outcome = std::move(outcome);
    if (!flight->outcome->has_value()) state.remove(id, flight);
    flight->landed.notify_all();
  }

  static Result<User> call(const Load& load, const Context& context, const std::string& id) {
    try {
      return load(context, id);
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  void leave(std::unique_lock<std::mutex>& lock, const std::string& id,
             const std::shared_ptr<Flight>& flight) {
    if (--flight->callers > 0) return;
    state_->remove(id, flight);
    lock.unlock();
    flight->lifetime.cancel(Error{Errc::cancelled, "everybody who wanted this user has left"});
  }

  std::shared_ptr<State> state_;
};

}  // namespace futures
