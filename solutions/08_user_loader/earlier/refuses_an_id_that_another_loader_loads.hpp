// Wrong: a load must not ask for its own id, and asking another loader counts as well; bites when
// loaders stand in front of each other.
#pragma once

#include <atomic>
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
    // A load that asks for its own id would wait for itself: say so instead. It may ask once it has
    // been forgotten.
    for (const auto* outer = Loading::innermost(); outer; outer = outer->around) {
      if (outer->flight->id == id && !outer->flight->unlisted) {
        return std::unexpected(
            Error{Errc::invalid_argument, "the load of '" + id + "' asks for '" + id + "'"});
      }
    }
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
    if (last) desk->unlist(flight);  // first, so that nobody joins what is being cancelled
    lock.unlock();
    if (last) flight->scope.cancel();
    return std::unexpected(*ctx.error());
  }

  void forget(const std::string& id) {
    decltype(Desk::flights)::node_type forgotten;  // destroyed without the lock
    const std::lock_guard lock(desk_->mutex);
    forgotten = desk_->flights.extract(id);
    if (forgotten) forgotten.mapped()->unlisted = true;
  }

 private:
  // One load: who waits for it, and what came of it. Guarded by the mutex of the desk.
  struct Flight {
    explicit Flight(std::string name) : id(std::move(name)) {}

    const std::string id;
    CancelSource scope = with_cancel(Context::background());
    std::atomic<bool> unlisted{false};  // forgotten, or left by everybody
    std::size_t callers = 0;
    std::condition_variable_any landing;
    std::optional<Result<User>> outcome;
  };

  // What this thread is loading.
  struct Loading {
    explicit Loading(const Flight& f) : flight(&f), around(innermost()) { innermost() = this; }
    ~Loading() { innermost() = around; }
    Loading(const Loading&) = delete;
    Loading& operator=(const Loading&) = delete;

    static const Loading*& innermost() {
      thread_local const Loading* loading = nullptr;
      return loading;
    }

    const Flight* flight;
    const Loading* around;
  };

  // Outlives the loader while a load is running.
  struct Desk : std::enable_shared_from_this<Desk> {
    explicit Desk(Load l) : load(std::move(l)) {}

    // The flight that is under way, or a new one; the caller is on it.
    std::shared_ptr<Flight> board(const std::string& id) {
      const std::lock_guard lock(mutex);
      const auto at = flights.find(id);
      if (at != flights.end()) {
        ++at->second->callers;
        return at->second;
      }
      auto flight = std::make_shared<Flight>(id);
      spawn([self = shared_from_this(), flight] { self->fly(flight); });
      ++flight->callers;
      flights.emplace(id, flight);
      return flight;
    }

    void fly(const std::shared_ptr<Flight>& flight) {
      auto outcome = [&]() -> Result<User> {
        const Loading loading(*flight);
        try {
          return load(flight->scope.context(), flight->id);
        } catch (...) {
          return std::unexpected(error_from_current_exception());
        }
      }();
      const std::lock_guard lock(mutex);
      unlist(flight);
      flight->outcome.emplace(std::move(outcome));
      flight->landing.notify_all();
    }

    // With the mutex held; somebody else holds the flight, too.
    void unlist(const std::shared_ptr<Flight>& flight) {
      const auto at = flights.find(flight->id);
      if (at != flights.end() && at->second == flight) flights.erase(at);
      flight->unlisted = true;
    }

    const Load load;
    std::mutex mutex;
    std::unordered_map<std::string, std::shared_ptr<Flight>> flights;  // guarded by mutex
  };

  std::shared_ptr<Desk> desk_;
};

}  // namespace futures
