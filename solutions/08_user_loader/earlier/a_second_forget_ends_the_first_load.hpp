// Wrong: keeps one forgotten load for each id; bites when the second is forgotten: the first is
// cancelled, though its callers wait.
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

// Given: what is loaded. --------------------------------------------------------------------------

struct User {
  std::string id;
  std::string name;
  friend bool operator==(const User&, const User&) = default;
};

class UserLoader {
 public:
  using Load = std::function<Result<User>(const Context&, const std::string&)>;

  explicit UserLoader(Load load) : desk_(std::make_shared<Desk>(std::move(load))) {}
  UserLoader(const UserLoader&) = delete;
  UserLoader& operator=(const UserLoader&) = delete;

  Result<User> get(const Context& ctx, const std::string& id) {
    if (const auto error = ctx.error()) return std::unexpected(*error);
    const auto desk = desk_;
    const auto flight = desk->board(id);
    std::unique_lock lock(desk->mutex);
    const bool landed =
        flight->landing.wait(lock, ctx.stop_token(), [&] { return flight->outcome.has_value(); });
    const bool last = --flight->callers == 0;
    if (landed) {
      lock.unlock();  // an outcome does not change any more
      return *flight->outcome;
    }
    // Taken off the lists first, so that nobody joins what is being cancelled. The scope cancels
    // when it is destroyed, here, without the lock.
    auto scope = last ? desk->take(flight) : std::nullopt;
    lock.unlock();
    scope.reset();
    return std::unexpected(*ctx.error());
  }

  void forget(const std::string& id) {
    std::optional<Listed> old;  // destroyed without the lock
    const std::lock_guard lock(desk_->mutex);
    auto node = desk_->flights.extract(id);
    if (!node) return;
    // Nobody finds it any more who wants to join, but those who are on it still can when they
    // leave.
    if (const auto at = desk_->forgotten.find(id); at != desk_->forgotten.end()) {
      old.emplace(std::move(at->second));
      desk_->forgotten.erase(at);
    }
    desk_->forgotten.insert(std::move(node));
  }

 private:
  // One load: who waits for it, and what came of it. Guarded by the mutex of the desk.
  struct Flight {
    explicit Flight(std::string name) : id(std::move(name)) {}

    const std::string id;
    std::size_t callers = 0;
    std::condition_variable_any landing;
    std::optional<Result<User>> outcome;
  };

  // A flight in a list, and the right to cancel it. Lists own their scopes: what is dropped from
  // them without further ado can't be left running by mistake.
  struct Listed {
    std::shared_ptr<Flight> flight;
    CancelSource scope;
  };
  using List = std::unordered_map<std::string, Listed>;

  // Outlives the loader while a load is running.
  struct Desk : std::enable_shared_from_this<Desk> {
    explicit Desk(Load l) : load(std::move(l)) {}

    // The flight that is under way, or a new one; the caller is on it.
    std::shared_ptr<Flight> board(const std::string& id) {
      const std::lock_guard lock(mutex);
      const auto at = flights.find(id);
      if (at != flights.end()) {
        ++at->second.flight->callers;
        return at->second.flight;
      }
      auto flight = std::make_shared<Flight>(id);
      auto scope = with_cancel(Context::background());
      spawn([self = shared_from_this(), flight, context = scope.context()] {
        self->fly(flight, context);
      });
      ++flight->callers;
      flights.emplace(id, Listed{flight, std::move(scope)});
      return flight;
    }

    void fly(const std::shared_ptr<Flight>& flight, const Context& context) {
      auto outcome = [&]() -> Result<User> {
        try {
          return load(context, flight->id);
        } catch (...) {
          return std::unexpected(error_from_current_exception());
        }
      }();
      std::optional<CancelSource> scope;  // destroyed without the lock
      const std::lock_guard lock(mutex);
      scope = take(flight);
      flight->outcome.emplace(std::move(outcome));
      flight->landing.notify_all();
    }

    // With the mutex held. Takes the flight off the list that it is in.
    std::optional<CancelSource> take(const std::shared_ptr<Flight>& flight) {
      for (auto* list : {&flights, &forgotten}) {
        const auto at = list->find(flight->id);
        if (at == list->end() || at->second.flight != flight) continue;
        std::optional<CancelSource> scope(std::move(at->second.scope));
        list->erase(at);
        return scope;
      }
      return std::nullopt;
    }

    const Load load;
    std::mutex mutex;
    List flights;    // can be joined; guarded by mutex
    List forgotten;  // can only be left; guarded by mutex
  };

  std::shared_ptr<Desk> desk_;
};

}  // namespace futures
