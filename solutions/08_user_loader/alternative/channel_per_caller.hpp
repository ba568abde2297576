// Right: each caller waits on a channel of its own; landing and leaving are messages under one
// lock.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
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

namespace detail {

// What is going on for one loader. Shared with the threads that load.
class LoaderDesk : public std::enable_shared_from_this<LoaderDesk> {
 public:
  using Load = std::function<Result<User>(const Context&, const std::string&)>;

  explicit LoaderDesk(Load load) : load_(std::move(load)) {}

  Result<User> get(const Context& ctx, const std::string& id) {
    auto [sender, receiver] = make_channel<Result<User>>(1);
    std::shared_ptr<Flight> flight;
    std::list<Sender<Result<User>>>::iterator place;
    {
      const std::lock_guard lock(mutex_);
      if (auto ended = ctx.error()) return std::unexpected(*std::move(ended));
      const auto known = flights_.find(id);
      try {
        flight = known != flights_.end() ? known->second : start(id);
      } catch (const std::system_error& no_thread) {
        return std::unexpected(Error{Errc::unavailable, no_thread.what()});
      }
      place = flight->callers.insert(flight->callers.end(), sender);
    }
    if (auto outcome = receiver.receive(ctx)) return *std::move(outcome);
    {
      // Landing has this lock while it sends: either everybody's mail is there by now, or nobody's.
      const std::lock_guard lock(mutex_);
      if (auto outcome = receiver.try_receive()) return *std::move(outcome);
      flight->callers.erase(place);
      if (!flight->callers.empty()) return std::unexpected(*ctx.error());
      remove(id, flight);
    }
    flight->lifetime.cancel();
    return std::unexpected(*ctx.error());
  }

  void forget(const std::string& id) {
    const std::lock_guard lock(mutex_);
    flights_.erase(id);
  }

 private:
  struct Flight {
    std::list<Sender<Result<User>>> callers;  // guarded by mutex_
    CancelSource lifetime = with_cancel(Context::background());
  };

  std::shared_ptr<Flight> start(const std::string& id) {
    auto flight = std::make_shared<Flight>();
    spawn([self = shared_from_this(), id, flight] { self->fly(id, flight); });
    flights_.emplace(id, flight);
    return flight;
  }

  void remove(const std::string& id, const std::shared_ptr<Flight>& flight) {
    const auto known = flights_.find(id);
    if (known != flights_.end() && known->second == flight) flights_.erase(known);
  }

  void fly(const std::string& id, const std::shared_ptr<Flight>& flight) {
    const Result<User> outcome = [&]() -> Result<User> {
      try {
        return load_(flight->lifetime.context(), id);
      } catch (...) {
        return std::unexpected(error_from_current_exception());
      }
    }();
    const std::lock_guard lock(mutex_);
    remove(id, flight);
    for (const auto& caller : flight->callers) caller.try_send(outcome);
  }

  const Load load_;
  std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<Flight>> flights_;  // guarded by mutex_
};

}  // namespace detail

class UserLoader {
 public:
  using Load = detail::LoaderDesk::Load;

  explicit UserLoader(Load load) : desk_(std::make_shared<detail::LoaderDesk>(std::move(load))) {}
  UserLoader(const UserLoader&) = delete;
  UserLoader& operator=(const UserLoader&) = delete;

  Result<User> get(const Context& ctx, const std::string& id) { return desk_->get(ctx, id); }
  void forget(const std::string& id) { desk_->forget(id); }

 private:
  const std::shared_ptr<detail::LoaderDesk> desk_;
};

}  // namespace futures
