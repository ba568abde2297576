// Right: nobody counts callers: they share a ticket whose destructor cancels the load, and the
// table has but a weak_ptr.
#pragma once

#include <condition_variable>
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
    // Outlives the lock: dropping the last ticket runs the load's stop callbacks.
    std::shared_ptr<Ticket> ticket;
    std::unique_lock lock(state_->mutex);
    if (auto ended = ctx.error()) return std::unexpected(*std::move(ended));
    auto& entry = state_->tickets[id];
    ticket = entry.ticket.lock();
    if (!ticket) {
      ticket = std::make_shared<Ticket>();
      ticket->landing = std::make_shared<Landing>();
      try {
        // The thread has no ticket, only what it needs: it is no caller.
        spawn([state = state_, id, context = ticket->lifetime.context(),
               landing = ticket->landing] { fly(*state, id, context, landing); });
      } catch (const std::system_error& no_thread) {
        state_->tickets.erase(id);
        return std::unexpected(Error{Errc::unavailable, no_thread.what()});
      }
      entry = {ticket, ticket->landing.get()};
    }
    const auto landing = ticket->landing;
    if (landing->landed.wait(lock, ctx.stop_token(),
                             [&] { return landing->outcome.has_value(); })) {
      lock.unlock();
      return *landing->outcome;
    }
    lock.unlock();
    // If this was the last ticket, the entry is empty from this moment on: nobody can join.
    ticket.reset();
    lock.lock();
    state_->sweep(id);
    return std::unexpected(*ctx.error());
  }

  void forget(const std::string& id) {
    const std::lock_guard lock(state_->mutex);
    state_->tickets.erase(id);
  }

 private:
  // What the load's thread and the callers share.
  struct Landing {
    std::condition_variable_any landed;
    std::optional<Result<User>> outcome;  // guarded by State::mutex until set; constant after
  };

  struct Ticket {
    std::shared_ptr<Landing> landing;
    CancelSource lifetime = with_cancel(Context::background());
  };

  struct Entry {
    std::weak_ptr<Ticket> ticket;      // expired: all callers have left
    const Landing* landing = nullptr;  // says whose entry it is; whoever compares has a share
  };

  struct State {
    explicit State(Load l) : load(std::move(l)) {}

    // Removes the entry of this id when nobody holds its ticket any more, whoever's it was.
    void sweep(const std::string& id) {
      const auto entry = tickets.find(id);
      if (entry != tickets.end() && entry->second.ticket.expired()) tickets.erase(entry);
    }

    const Load load;
    std::mutex mutex;
    std::unordered_map<std::string, Entry> tickets;  // guarded by mutex
  };

  static void fly(State& state, const std::string& id, const Context& context,
                  const std::shared_ptr<Landing>& landing) {
    Result<User> outcome = [&]() -> Result<User> {
      try {
        return state.load(context, id);
      } catch (...) {
        return std::unexpected(error_from_current_exception());
      }
    }();
    const std::lock_guard lock(state.mutex);
    landing->outcome = std::move(outcome);
    const auto entry = state.tickets.find(id);
    if (entry != state.tickets.end() && entry->second.landing == landing.get()) {
      state.tickets.erase(entry);
    }
    landing->landed.notify_all();
  }

  const std::shared_ptr<State> state_;
};

}  // namespace futures
