// Right: the lock guards the table only. A flight counts its callers with an atomic that never
// leaves zero again, and wakes them with an atomic they wait on.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
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

  Result<User> get(const Context& ctx, const std::string& id) {
    if (auto ended = ctx.error()) return std::unexpected(*std::move(ended));
    const auto flight = join(id);
    if (flight->wait(ctx)) return *flight->outcome;
    if (flight->callers.fetch_sub(1) == 1) {
      state_->remove(id, flight);
      flight->lifetime.cancel();
    }
    return std::unexpected(*ctx.error());
  }

  void forget(const std::string& id) {
    const std::lock_guard lock(state_->mutex);
    state_->flights.erase(id);
  }

 private:
  struct Flight {
    // False when all callers have left: nobody can come aboard any more.
    bool join() {
      int seen = callers.load();
      while (seen > 0 && !callers.compare_exchange_weak(seen, seen + 1)) {
      }
      return seen > 0;
    }

    // True: landed.
    bool wait(const Context& context) {
      const std::stop_callback on_stop(context.stop_token(), [this] { tell(); });
      while (true) {
        const int seen = news.load();
        if (landed.load()) return true;
        if (context.done()) return landed.load();
        news.wait(seen);
      }
    }

    void tell() {
      news.fetch_add(1);
      news.notify_all();
    }

    std::atomic<int> callers{1};
    std::atomic<int> news{0};
    std::atomic<bool> landed{false};
    std::optional<Result<User>> outcome;  // written before landed becomes true
    CancelSource lifetime = with_cancel(Context::background());
  };

  struct State {
    explicit State(Load l) : load(std::move(l)) {}

    void remove(const std::string& id, const std::shared_ptr<Flight>& flight) {
      const std::lock_guard lock(mutex);
      const auto entry = flights.find(id);
      if (entry != flights.end() && entry->second == flight) flights.erase(entry);
    }

    const Load load;
    std::mutex mutex;
    std::map<std::string, std::shared_ptr<Flight>> flights;  // guarded by mutex
  };

  std::shared_ptr<Flight> join(const std::string& id) {
    const std::lock_guard lock(state_->mutex);
    auto& entry = state_->flights[id];
    if (!entry || !entry->join()) {
      entry = std::make_shared<Flight>();
      spawn([state = state_, flight = entry, id] {
        try {
          flight->outcome.emplace(state->load(flight->lifetime.context(), id));
        } catch (...) {
          flight->outcome.emplace(std::unexpected(error_from_current_exception()));
        }
        // First out of the table, then landed: who comes in between starts a new one.
        state->remove(id, flight);
        flight->landed.store(true);
        flight->tell();
      });
    }
    return entry;
  }

  std::shared_ptr<State> state_;
};

}  // namespace futures
