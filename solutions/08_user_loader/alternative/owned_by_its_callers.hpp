// Odd: nobody counts callers: a flight belongs to the shared_ptrs of its callers, table and load
// have weak ones, and the flight's destructor is what cancels the load; closing a channel is what
// wakes everybody. Right: weak_ptr::lock() and the last release are one atomic step, so that no
// newcomer gets a flight that is being cancelled, and nobody drops a share with the lock held.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
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

  explicit UserLoader(Load load) : shared_(std::make_shared<Shared>(std::move(load))) {}
  UserLoader(const UserLoader&) = delete;
  UserLoader& operator=(const UserLoader&) = delete;

  Result<User> get(const Context& ctx, const std::string& id) {
    if (ctx.done()) return std::unexpected(*ctx.error());
    const auto shared = shared_;
    const auto flight = board(shared, id);
    flight->landed.receive(ctx);  // closed, or the context's end: the outcome tells
    const std::lock_guard lock(shared->mutex);
    if (flight->outcome) return *flight->outcome;
    return std::unexpected(*ctx.error());
  }  // the lock goes first, then the share

  void forget(const std::string& id) {
    const std::lock_guard lock(shared_->mutex);
    shared_->table.erase(id);
  }

 private:
  struct Flight {
    explicit Flight(std::pair<Sender<bool>, Receiver<bool>> ends)
        : landing(std::move(ends.first)), landed(std::move(ends.second)) {}
    Sender<bool> landing;
    Receiver<bool> landed;
    std::optional<Result<User>> outcome;  // guarded by Shared::mutex
    CancelSource source = with_cancel(Context::background());
  };

  struct Shared {
    explicit Shared(Load l) : load(std::move(l)) {}

    // With the mutex held.
    void close(const std::string& id, const std::weak_ptr<Flight>& flight) {
      const auto entry = table.find(id);
      if (entry == table.end()) return;
      const bool same = !entry->second.owner_before(flight) && !flight.owner_before(entry->second);
      if (same) table.erase(entry);
    }

    const Load load;
    std::mutex mutex;
    std::unordered_map<std::string, std::weak_ptr<Flight>> table;
  };

  static std::shared_ptr<Flight> board(const std::shared_ptr<Shared>& shared,
                                       const std::string& id) {
    std::shared_ptr<Flight> flight;
    const std::lock_guard lock(shared->mutex);
    auto& entry = shared->table[id];
    flight = entry.lock();
    if (flight) return flight;
    flight = std::make_shared<Flight>(make_channel<bool>(0));
    entry = flight;
    spawn([shared, id, context = flight->source.context(), weak = std::weak_ptr(flight)] {
      auto outcome = attempt(shared->load, context, id);
      const auto here = weak.lock();  // null: all have left
      {
        const std::lock_guard landing(shared->mutex);
        shared->close(id, weak);
        if (here) here->outcome.emplace(std::move(outcome));
      }
      if (here) here->landing.close();
    });
    return flight;
  }

  static Result<User> attempt(const Load& load, const Context& context, const std::string& id) {
    try {
      return load(context, id);
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  std::shared_ptr<Shared> shared_;
};

}  // namespace futures
