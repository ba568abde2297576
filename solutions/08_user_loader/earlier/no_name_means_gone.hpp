// Wrong: a flight notes the name it has in the table, and no name means that it is not there any
// more; bites when the id is the empty string: such a flight is never taken out of the table, and
// whoever asks for it later gets the old outcome, or joins a cancelled load.
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

// Given: what is loaded. --------------------------------------------------------------------------

struct User {
  std::string id;
  std::string name;
  friend bool operator==(const User&, const User&) = default;
};

// Asks a backend for users. Callers who want the same user at the same time share one load. Every
// member may be called from any number of threads at once.
class UserLoader {
 public:
  using Load = std::function<Result<User>(const Context&, const std::string&)>;

  explicit UserLoader(Load load) : core_(std::make_shared<Core>(std::move(load))) {}
  UserLoader(const UserLoader&) = delete;
  UserLoader& operator=(const UserLoader&) = delete;

  Result<User> get(const Context& ctx, const std::string& id) {
    if (ctx.done()) return std::unexpected(*ctx.error());
    std::shared_ptr<Flight> flight;  // outlives the lock
    std::unique_lock lock(core_->mutex);
    flight = join(id);
    if (!flight) return std::unexpected(Error{Errc::unavailable, "no thread for the load"});
    const bool landed =
        flight->changed.wait(lock, ctx.stop_token(), [&] { return flight->outcome.has_value(); });
    if (landed) return *flight->outcome;
    const bool last = --flight->callers == 0;
    if (last) core_->take_down(*flight);
    lock.unlock();  // stop callbacks may call the loader
    if (last) flight->source.cancel();
    return std::unexpected(*ctx.error());
  }

  void forget(const std::string& id) {
    std::shared_ptr<Flight> forgotten;  // outlives the lock
    const std::lock_guard lock(core_->mutex);
    if (const auto entry = core_->flights.find(id); entry != core_->flights.end()) {
      forgotten = std::move(entry->second);
      core_->flights.erase(entry);
      forgotten->listed_as.clear();  // the name is its successor's from now on
    }
  }

 private:
  // All but the source is guarded by the core's mutex.
  struct Flight {
    explicit Flight(std::string name) : listed_as(std::move(name)) {}
    std::string listed_as;  // its name in the table; empty when it is not there any more
    CancelSource source = with_cancel(Context::background());
    std::size_t callers = 0;
    std::optional<Result<User>> outcome;
    std::condition_variable_any changed;
  };

  struct Core {
    explicit Core(Load how) : load(std::move(how)) {}
    // The caller has a handle of its own.
    void take_down(Flight& flight) {
      if (flight.listed_as.empty()) return;
      flights.erase(flight.listed_as);
      flight.listed_as.clear();
    }
    const Load load;
    std::mutex mutex;
    std::unordered_map<std::string, std::shared_ptr<Flight>> flights;  // guarded by mutex
  };

  // With the mutex held.
  std::shared_ptr<Flight> join(const std::string& id) {
    auto& entry = core_->flights[id];
    if (!entry) {
      entry = std::make_shared<Flight>(id);
      try {
        spawn([core = core_, flight = entry, id] { fly(*core, *flight, id); });
      } catch (const std::system_error&) {
        core_->flights.erase(id);
        return nullptr;
      }
    }
    ++entry->callers;
    return entry;
  }

  static void fly(Core& core, Flight& flight, const std::string& id) {
    auto outcome = [&]() -> Result<User> {
      try {
        return core.load(flight.source.context(), id);
      } catch (...) {
        return std::unexpected(error_from_current_exception());
      }
    }();
    const std::lock_guard lock(core.mutex);
    flight.outcome = std::move(outcome);
    core.take_down(flight);
    flight.changed.notify_all();
  }

  const std::shared_ptr<Core> core_;
};

}  // namespace futures
