// Wrong: the outcome is put into one caller's mailbox after the other; bites when a caller is
// cancelled whose turn has not come while another one already has the outcome: it is told
// "cancelled".
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

// Each caller has a mailbox with a lock of its own: a thousand callers who wake up do not fight for
// one.
class UserLoader {
 public:
  using Load = std::function<Result<User>(const Context&, const std::string&)>;

  explicit UserLoader(Load load) : state_(std::make_shared<State>(std::move(load))) {}
  UserLoader(const UserLoader&) = delete;
  UserLoader& operator=(const UserLoader&) = delete;

  Result<User> get(const Context& ctx, const std::string& id) {
    const auto mailbox = std::make_shared<Mailbox>();
    std::shared_ptr<Flight> flight;
    {
      const std::lock_guard lock(state_->mutex);
      if (auto ended = ctx.error()) return std::unexpected(*std::move(ended));
      auto& entry = state_->flights[id];
      if (!entry) {
        auto fresh = std::make_shared<Flight>();
        try {
          spawn([state = state_, id, fresh] { fly(*state, id, fresh); });
        } catch (const std::system_error& no_thread) {
          state_->flights.erase(id);
          return std::unexpected(Error{Errc::unavailable, no_thread.what()});
        }
        entry = std::move(fresh);
      }
      flight = entry;
      mailbox->place = flight->callers.insert(flight->callers.end(), mailbox);
    }
    if (auto outcome = mailbox->receive(ctx)) return *std::move(outcome);
    leave(id, flight, *mailbox);
    return std::unexpected(*ctx.error());
  }

  void forget(const std::string& id) {
    const std::lock_guard lock(state_->mutex);
    state_->flights.erase(id);
  }

 private:
  struct Mailbox {
    void send(const Result<User>& outcome) {
      const std::lock_guard lock(mutex);
      content = outcome;
      filled.notify_one();
    }
    std::optional<Result<User>> receive(const Context& ctx) {
      std::unique_lock lock(mutex);
      filled.wait(lock, ctx.stop_token(), [this] { return content.has_value(); });
      return std::move(content);
    }

    std::mutex mutex;
    std::condition_variable_any filled;
    std::optional<Result<User>> content;                  // guarded by mutex
    std::list<std::shared_ptr<Mailbox>>::iterator place;  // guarded by State::mutex
  };

  struct Flight {
    std::list<std::shared_ptr<Mailbox>> callers;  // guarded by State::mutex
    bool over = false;                            // guarded by State::mutex
    CancelSource lifetime = with_cancel(Context::background());
  };

  struct State {
    explicit State(Load l) : load(std::move(l)) {}

    void remove(const std::string& id, const std::shared_ptr<Flight>& flight) {
      const auto entry = flights.find(id);
      if (entry != flights.end() && entry->second == flight) flights.erase(entry);
    }

    const Load load;
    std::mutex mutex;
    std::unordered_map<std::string, std::shared_ptr<Flight>> flights;  // guarded by mutex
  };

  static void fly(State& state, const std::string& id, const std::shared_ptr<Flight>& flight) {
    const Result<User> outcome = [&]() -> Result<User> {
      try {
        return state.load(flight->lifetime.context(), id);
      } catch (...) {
        return std::unexpected(error_from_current_exception());
      }
    }();
    std::list<std::shared_ptr<Mailbox>> callers;
    {
      const std::lock_guard lock(state.mutex);
      flight->over = true;
      callers.swap(flight->callers);
      state.remove(id, flight);
    }
    for (const auto& caller : callers) caller->send(outcome);
  }

  void leave(const std::string& id, const std::shared_ptr<Flight>& flight, Mailbox& mailbox) {
    {
      const std::lock_guard lock(state_->mutex);
      if (flight->over) return;  // just landed: nobody to sign off from
      flight->callers.erase(mailbox.place);
      if (!flight->callers.empty()) return;
      state_->remove(id, flight);
    }
    flight->lifetime.cancel();
  }

  const std::shared_ptr<State> state_;
};

}  // namespace futures
