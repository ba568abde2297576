// Wrong: at most 128 workers, further loads queue up; bites when 128 loads are under way (slow, or
// waiting for the 129th) and another id is asked for.
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

class UserLoader {
 public:
  using Load = std::function<Result<User>(const Context&, const std::string&)>;

  explicit UserLoader(Load load) : state_(std::make_shared<State>(std::move(load))) {}
  UserLoader(const UserLoader&) = delete;
  UserLoader& operator=(const UserLoader&) = delete;

  Result<User> get(const Context& ctx, const std::string& id) {
    std::unique_lock lock(state_->mutex);
    if (auto ended = ctx.error()) return std::unexpected(*std::move(ended));
    auto& entry = state_->flights[id];
    if (!entry) {
      entry = std::make_shared<Flight>(id);
      try {
        enqueue(entry);
      } catch (const std::system_error& no_thread) {
        state_->flights.erase(id);
        return std::unexpected(Error{Errc::unavailable, no_thread.what()});
      }
    }
    const auto flight = entry;
    ++flight->callers;
    if (!flight->landed.wait(lock, ctx.stop_token(), [&] { return flight->outcome.has_value(); })) {
      if (--flight->callers == 0) {
        state_->remove(flight);
        std::erase(state_->queue, flight);  // if no worker has come to it yet
        lock.unlock();
        flight->lifetime.cancel();
      }
      return std::unexpected(*ctx.error());
    }
    lock.unlock();
    return *flight->outcome;
  }

  void forget(const std::string& id) {
    const std::lock_guard lock(state_->mutex);
    state_->flights.erase(id);
  }

 private:
  // A thread is dear, and a backend does not like thousands of questions at once.
  static constexpr std::size_t max_workers = 128;

  struct Flight {
    explicit Flight(std::string i) : id(std::move(i)) {}

    const std::string id;
    std::condition_variable_any landed;
    std::size_t callers = 0;              // guarded by State::mutex
    std::optional<Result<User>> outcome;  // guarded by State::mutex until set
    CancelSource lifetime = with_cancel(Context::background());
  };

  struct State {
    explicit State(Load l) : load(std::move(l)) {}

    void remove(const std::shared_ptr<Flight>& flight) {
      const auto entry = flights.find(flight->id);
      if (entry != flights.end() && entry->second == flight) flights.erase(entry);
    }

    const Load load;
    std::mutex mutex;  // guards all below
    std::unordered_map<std::string, std::shared_ptr<Flight>> flights;
    std::deque<std::shared_ptr<Flight>> queue;
    std::size_t workers = 0;
  };

  // With the mutex held. A worker ends when it finds the queue empty, so that no thread stays
  // behind.
  void enqueue(const std::shared_ptr<Flight>& flight) {
    if (state_->workers < max_workers) {
      spawn([state = state_, flight] { work(*state, flight); });
      ++state_->workers;
    } else {
      state_->queue.push_back(flight);
    }
  }

  static void work(State& state, std::shared_ptr<Flight> flight) {
    while (true) {
      Result<User> outcome = call(state.load, *flight);
      std::unique_lock lock(state.mutex);
      flight->outcome = std::move(outcome);
      state.remove(flight);
      flight->landed.notify_all();
      if (state.queue.empty()) {
        --state.workers;
        return;
      }
      auto next = std::move(state.queue.front());
      state.queue.pop_front();
      lock.unlock();
      flight = std::move(next);
    }
  }

  static Result<User> call(const Load& load, const Flight& flight) {
    try {
      return load(flight.lifetime.context(), flight.id);
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  const std::shared_ptr<State> state_;
};

}  // namespace futures
