// Right: keeps the threads of its loads and joins them, so that they may refer to the loader; all
// callers of all users wait on one condition variable.
#pragma once

#include <condition_variable>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

struct User {
  std::string id;
  std::string name;
  friend bool operator==(const User&, const User&) = default;
};

class UserLoader {
 public:
  using Load = std::function<Result<User>(const Context&, const std::string&)>;

  explicit UserLoader(Load load) : load_(std::move(load)) {}
  UserLoader(const UserLoader&) = delete;
  UserLoader& operator=(const UserLoader&) = delete;

  Result<User> get(const Context& ctx, const std::string& id) {
    std::list<Flight> over;  // joined last, without the lock
    std::unique_lock lock(mutex_);
    if (auto ended = ctx.error()) return std::unexpected(*std::move(ended));
    collect(over);
    auto entry = flights_.find(id);
    Flight& flight = entry != flights_.end() ? *entry->second : start(id);
    ++flight.callers;
    const auto landed = [&] { return flight.outcome.has_value(); };
    changed_.wait(lock, ctx.stop_token(), landed);
    const bool last = --flight.callers == 0;
    if (landed()) return *flight.outcome;
    if (last) {
      // It may land and be collected as soon as the lock is gone.
      remove(id, flight);
      const auto lifetime = flight.lifetime;
      lock.unlock();
      lifetime->cancel();
    }
    return std::unexpected(*ctx.error());
  }

  void forget(const std::string& id) {
    const std::lock_guard lock(mutex_);
    flights_.erase(id);
  }

 private:
  struct Flight {
    int callers = 0;
    std::optional<Result<User>> outcome;
    std::shared_ptr<CancelSource> lifetime =
        std::make_shared<CancelSource>(with_cancel(Context::background()));
    std::jthread thread;
  };

  // All below: with the lock held.
  Flight& start(const std::string& id) {
    Flight& flight = all_.emplace_back();
    flight.thread = std::jthread([this, &flight, id] { fly(flight, id); });
    flights_.emplace(id, &flight);
    return flight;
  }

  void remove(const std::string& id, const Flight& flight) {
    const auto entry = flights_.find(id);
    if (entry != flights_.end() && entry->second == &flight) flights_.erase(entry);
  }

  void collect(std::list<Flight>& over) {
    for (auto next = all_.begin(); next != all_.end();) {
      const auto flight = next++;
      if (flight->outcome && flight->callers == 0) over.splice(over.end(), all_, flight);
    }
  }

  // Without the lock.
  void fly(Flight& flight, const std::string& id) {
    Result<User> outcome = std::unexpected(Error{});
    try {
      outcome = load_(flight.lifetime->context(), id);
    } catch (...) {
      outcome = std::unexpected(error_from_current_exception());
    }
    const std::lock_guard lock(mutex_);
    flight.outcome = std::move(outcome);
    remove(id, flight);
    changed_.notify_all();
  }

  const Load load_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<std::string, Flight*> flights_;  // those that may be joined
  std::list<Flight> all_;                   // destroyed first: joins the threads
};

}  // namespace futures
