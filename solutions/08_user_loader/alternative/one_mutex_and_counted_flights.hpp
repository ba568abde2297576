// Right: one mutex, a map of flights that count their callers; a landed flight is the cache.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
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

  explicit UserLoader(Load load) : shared_(std::make_shared<Shared>(std::move(load))) {}
  UserLoader(const UserLoader&) = delete;
  UserLoader& operator=(const UserLoader&) = delete;

  Result<User> get(const Context& ctx, const std::string& id) {
    const auto shared = shared_;
    std::shared_ptr<Flight> flight;
    std::unique_lock lock(shared->mutex);
    auto& slot = shared->flights[id];
    if (!slot) slot = start(shared, id);
    flight = slot;

    ++flight->callers;
    const bool landed =
        flight->landed.wait(lock, ctx.stop_token(), [&] { return flight->outcome.has_value(); });
    const bool last = --flight->callers == 0;
    if (landed) {
      lock.unlock();
      return *flight->outcome;
    }
    if (last) shared->erase(id, flight);  // first, so that no newcomer joins it
    lock.unlock();
    if (last) flight->source.cancel();
    return std::unexpected(*ctx.error());
  }

  void forget(const std::string& id) {
    decltype(Shared::flights)::node_type forgotten;  // destroyed after the lock is released
    const std::lock_guard lock(shared_->mutex);
    forgotten = shared_->flights.extract(id);
  }

 private:
  struct Flight {
    CancelSource source = with_cancel(Context::background());
    std::condition_variable_any landed;
    std::size_t callers = 0;              // guarded by Shared::mutex
    std::optional<Result<User>> outcome;  // the same; constant once there
  };

  // Also held by the loads that nobody waits for any more.
  struct Shared {
    explicit Shared(Load l) : load(std::move(l)) {}

    // With the mutex held, by somebody who holds the flight.
    void erase(const std::string& id, const std::shared_ptr<Flight>& flight) {
      const auto it = flights.find(id);
      if (it != flights.end() && it->second == flight) flights.erase(it);
    }

    const Load load;
    std::mutex mutex;
    std::unordered_map<std::string, std::shared_ptr<Flight>> flights;  // guarded by mutex
  };

  static std::shared_ptr<Flight> start(const std::shared_ptr<Shared>& shared,
                                       const std::string& id) {
    auto flight = std::make_shared<Flight>();
    spawn([shared, flight, id] {
      Result<User> outcome = [&]() -> Result<User> {
        try {
          return shared->load(flight->source.context(), id);
        } catch (...) {
          return std::unexpected(error_from_current_exception());
        }
      }();
      const std::lock_guard lock(shared->mutex);
      if (!outcome) shared->erase(id, flight);
      flight->outcome = std::move(outcome);
      flight->landed.notify_all();
    });
    return flight;
  }

  std::shared_ptr<Shared> shared_;
};

}  // namespace futures
