// Wrong: callers share a ticket whose destructor takes the id out of the table, whosever flight it
// is by then; bites when a newcomer starts the next load between the last caller's leaving and
// that: the one after it makes another load.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

struct User {
  std::string id;
  std::string name;
  friend bool operator==(const User&, const User&) = default;
};

// Nobody counts the callers: they share a ticket, the table only has a weak_ptr on it. When the
// last one lets go of it, the ticket's destructor cancels the load; and a ticket that can't be
// locked any more is one that nobody can join.
class UserLoader {
 public:
  using Load = std::function<Result<User>(const Context&, const std::string&)>;

  explicit UserLoader(Load load) : state_(std::make_shared<State>(std::move(load))) {}
  UserLoader(const UserLoader&) = delete;
  UserLoader& operator=(const UserLoader&) = delete;

  Result<User> get(const Context& ctx, const std::string& id) {
    std::shared_ptr<Ticket> ticket;  // outlives the lock: its destructor wants it
    std::unique_lock lock(state_->mutex);
    if (auto ended = ctx.error()) return std::unexpected(*std::move(ended));
    if (const auto entry = state_->tickets.find(id); entry != state_->tickets.end()) {
      ticket = entry->second.lock();
    }
    if (!ticket) {
      ticket = std::make_shared<Ticket>(state_, id);
      try {
        spawn([state = state_, id, context = ticket->lifetime.context(),
               landing = ticket->landing] { fly(*state, id, context, *landing); });
      } catch (const std::system_error& no_thread) {
        return std::unexpected(Error{Errc::unavailable, no_thread.what()});
      }
      state_->tickets[id] = ticket;
      ticket->listed = true;
      ticket->landing->ticket = ticket;
    }
    const auto landing = ticket->landing;
    if (!landing->landed.wait(lock, ctx.stop_token(),
                              [&] { return landing->outcome.has_value(); })) {
      return std::unexpected(*ctx.error());
    }
    lock.unlock();
    return *landing->outcome;
  }

  void forget(const std::string& id) {
    std::shared_ptr<Ticket> ticket;  // outlives the lock, as above
    const std::lock_guard lock(state_->mutex);
    const auto entry = state_->tickets.find(id);
    if (entry == state_->tickets.end()) return;
    ticket = entry->second.lock();
    if (ticket) ticket->listed = false;
    state_->tickets.erase(entry);
  }

 private:
  struct Ticket;

  // What the load's thread and the callers share.
  struct Landing {
    std::condition_variable_any landed;
    std::optional<Result<User>> outcome;  // guarded by State::mutex until set
    std::weak_ptr<Ticket> ticket;         // guarded by State::mutex
  };

  struct State {
    explicit State(Load l) : load(std::move(l)) {}

    const Load load;
    std::mutex mutex;
    std::unordered_map<std::string, std::weak_ptr<Ticket>> tickets;  // guarded by mutex
  };

  struct Ticket {
    Ticket(std::shared_ptr<State> s, std::string i) : state(std::move(s)), id(std::move(i)) {}
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;
    ~Ticket() {
      const std::lock_guard lock(state->mutex);
      if (listed) state->tickets.erase(id);  // neither forgotten nor landed: that is us
    }

    // First, so that it is destroyed last: cancelled when the lock is free again.
    CancelSource lifetime = with_cancel(Context::background());
    const std::shared_ptr<State> state;
    const std::string id;
    const std::shared_ptr<Landing> landing = std::make_shared<Landing>();
    bool listed = false;  // guarded by State::mutex
  };

  static void fly(State& state, const std::string& id, const Context& context, Landing& landing) {
    Result<User> outcome = [&]() -> Result<User> {
      try {
        return state.load(context, id);
      } catch (...) {
        return std::unexpected(error_from_current_exception());
      }
    }();
    std::shared_ptr<Ticket> ticket;  // outlives the lock, as above
    const std::lock_guard lock(state.mutex);
    landing.outcome = std::move(outcome);
    ticket = landing.ticket.lock();
    if (ticket && ticket->listed) {
      ticket->listed = false;
      state.tickets.erase(id);
    }
    landing.landed.notify_all();
  }

  const std::shared_ptr<State> state_;
};

}  // namespace futures
