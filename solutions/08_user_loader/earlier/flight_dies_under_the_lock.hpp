// Wrong: get() declares its share in the flight after the lock, so on return the flight goes first,
// and a flight that goes ends its context; bites when the caller who has got the outcome is the
// last to hold the flight and something that the load has left behind still listens on the load's
// context: its stop callback runs with the loader's mutex held, and deadlocks when it asks the
// loader.
#pragma once

#include <condition_variable>
#include <cstddef>
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

  explicit UserLoader(Load load) : core_(std::make_shared<Core>(std::move(load))) {}
  UserLoader(const UserLoader&) = delete;
  UserLoader& operator=(const UserLoader&) = delete;

  Result<User> get(const Context& ctx, const std::string& id) {
    if (auto why = ctx.error()) return std::unexpected(*std::move(why));
    std::unique_lock lock(core_->mutex);
    const std::shared_ptr<Flight> flight = join_or_start(id);
    ++flight->callers;
    flight->landed.wait(lock, ctx.stop_token(), [&] { return flight->outcome.has_value(); });
    if (flight->outcome) return *flight->outcome;
    if (--flight->callers == 0) {
      core_->erase_if_same(id, flight);
      lock.unlock();  // cancel() runs stop callbacks
      flight->source.cancel();
    } else {
      lock.unlock();
    }
    return std::unexpected(*ctx.error());
  }

  void forget(const std::string& id) {
    std::shared_ptr<Flight> old;  // destroyed after the lock is released
    const std::lock_guard lock(core_->mutex);
    if (const auto it = core_->table.find(id); it != core_->table.end()) {
      old = std::move(it->second);
      core_->table.erase(it);
    }
  }

 private:
  // All but the source: guarded by the core's mutex.
  struct Flight {
    CancelSource source = with_cancel(Context::background());
    std::size_t callers = 0;
    std::optional<Result<User>> outcome;
    std::condition_variable_any landed;
  };

  // Shared with the threads that load, which may outlive the loader.
  struct Core {
    explicit Core(Load l) : load(std::move(l)) {}

    // With the mutex held.
    void erase_if_same(const std::string& id, const std::shared_ptr<Flight>& flight) {
      if (const auto it = table.find(id); it != table.end() && it->second == flight)
        table.erase(it);
    }

    const Load load;
    std::mutex mutex;
    std::unordered_map<std::string, std::shared_ptr<Flight>> table;  // guarded by mutex
  };

  static Result<User> call(const Load& load, const Context& ctx, const std::string& id) {
    try {
      return load(ctx, id);
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  // With the mutex held; the new thread needs it only when its load is over.
  std::shared_ptr<Flight> join_or_start(const std::string& id) {
    if (const auto it = core_->table.find(id); it != core_->table.end()) return it->second;
    auto flight = std::make_shared<Flight>();
    core_->table.emplace(id, flight);
    try {
      spawn([core = core_, flight, id] {
        auto outcome = call(core->load, flight->source.context(), id);
        const std::lock_guard lock(core->mutex);
        flight->outcome.emplace(std::move(outcome));
        core->erase_if_same(id, flight);
        flight->landed.notify_all();
      });
    } catch (...) {  // the system has no thread to give
      core_->table.erase(id);
      flight->outcome.emplace(std::unexpected(error_from_current_exception()));
    }
    return flight;
  }

  std::shared_ptr<Core> core_;
};

}  // namespace futures
