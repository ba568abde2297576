// Wrong: a caller who was woken for somebody else looks for the outcome first and reads the bell
// after that; bites when another caller's context has ended and the outcome comes between this look
// and this read: the caller sleeps on with the outcome there, for ever under a context that does
// not end.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
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
    std::shared_ptr<Flight> flight;  // outlives the lock: its end runs stop callbacks
    bool mine = false;
    std::uint32_t seen = 0;
    {
      const std::lock_guard lock(core_->mutex);
      if (const auto it = core_->table.find(id); it != core_->table.end()) {
        flight = it->second;
      } else {
        flight = std::make_shared<Flight>();
        core_->table.emplace(id, flight);
        mine = true;
      }
      ++flight->callers;
      seen = flight->bell.load();  // there is no outcome yet: it would have left the table
    }
    if (mine) start(core_, flight, id);
    {
      const std::stop_callback listen(ctx.stop_token(), [&] { flight->ring(); });
      while (!ctx.done()) {
        flight->bell.wait(seen);
        // The bell is everybody's: it also rings when another caller's context ends.
        if (flight->landed.load()) break;
        seen = flight->bell.load();
      }
    }
    bool last = false;
    {
      const std::lock_guard lock(core_->mutex);
      if (flight->outcome) return *flight->outcome;
      last = --flight->callers == 0;
      if (last) core_->erase_if_same(id, flight);
    }
    if (last) flight->source.cancel();
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
  struct Flight {
    void ring() {
      bell.fetch_add(1);
      bell.notify_all();
    }

    CancelSource source = with_cancel(Context::background());
    std::size_t callers = 0;              // guarded by the core's mutex
    std::optional<Result<User>> outcome;  // guarded by the core's mutex
    std::atomic<bool> landed{false};      // there is an outcome
    std::atomic<std::uint32_t> bell{0};   // moves on when there is something to look at
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

  static void land(Core& core, const std::shared_ptr<Flight>& flight, const std::string& id,
                   Result<User> outcome) {
    {
      const std::lock_guard lock(core.mutex);
      flight->outcome.emplace(std::move(outcome));
      core.erase_if_same(id, flight);
    }
    flight->landed.store(true);
    flight->ring();
  }

  static void start(const std::shared_ptr<Core>& core, const std::shared_ptr<Flight>& flight,
                    const std::string& id) {
    try {
      spawn([core, flight, id] {
        land(*core, flight, id, call(core->load, flight->source.context(), id));
      });
    } catch (...) {  // the system has no thread to give
      land(*core, flight, id, std::unexpected(error_from_current_exception()));
    }
  }

  std::shared_ptr<Core> core_;
};

}  // namespace futures
