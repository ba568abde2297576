// Wrong: ids are compared as C strings; bites when two ids differ only after a zero byte (binary
// ids): the second caller joins the load of another user.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstring>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
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

  explicit UserLoader(Load load) : core_(std::make_shared<Core>(std::move(load))) {}
  UserLoader(const UserLoader&) = delete;
  UserLoader& operator=(const UserLoader&) = delete;

  Result<User> get(const Context& ctx, const std::string& id) {
    if (auto ended = ctx.error()) return std::unexpected(*std::move(ended));
    std::shared_ptr<Flight> flight;  // outlives the lock: its context must not end under it
    std::unique_lock lock(core_->mutex);
    flight = core_->find(id);
    if (!flight) {
      flight = std::make_shared<Flight>(id);
      core_->flights.push_back(flight);
      try {
        spawn([core = core_, flight] { run(*core, *flight); });
      } catch (const std::exception& e) {
        core_->flights.pop_back();
        return std::unexpected(Error{Errc::unavailable, e.what()});
      }
    }
    ++flight->callers;
    const auto landed = [&flight] { return flight->outcome.has_value(); };
    if (flight->landed.wait(lock, ctx.stop_token(), landed)) {
      lock.unlock();
      return *flight->outcome;  // does not change any more
    }
    const bool last = --flight->callers == 0;
    if (last) core_->flights.remove(flight);
    lock.unlock();
    if (last) flight->source.cancel();
    return std::unexpected(*ctx.error());
  }

  void forget(const std::string& id) {
    std::shared_ptr<Flight> doomed;
    const std::lock_guard lock(core_->mutex);
    doomed = core_->find(id);
    if (doomed) core_->flights.remove(doomed);
  }

 private:
  struct Flight {
    explicit Flight(std::string i) : id(std::move(i)) {}

    const std::string id;
    CancelSource source = with_cancel(Context::background());
    std::condition_variable_any landed;
    std::optional<Result<User>> outcome;  // guarded by the mutex of the core until it is there
    std::size_t callers = 0;              // guarded by the mutex of the core
  };

  struct Core {
    explicit Core(Load l) : load(std::move(l)) {}

    // The flight that can be joined. With the mutex held.
    std::shared_ptr<Flight> find(const std::string& id) const {
      const char* const wanted = id.c_str();
      for (const auto& flight : flights) {
        if (std::strcmp(flight->id.c_str(), wanted) == 0) return flight;
      }
      return nullptr;
    }

    const Load load;
    std::mutex mutex;
    std::list<std::shared_ptr<Flight>> flights;  // guarded by mutex
  };

  static void run(Core& core, Flight& flight) {
    auto outcome = [&]() -> Result<User> {
      try {
        return core.load(flight.source.context(), flight.id);
      } catch (...) {
        return std::unexpected(error_from_current_exception());
      }
    }();
    const std::lock_guard lock(core.mutex);
    flight.outcome.emplace(std::move(outcome));
    core.flights.remove_if([&flight](const auto& other) { return other.get() == &flight; });
    flight.landed.notify_all();
  }

  std::shared_ptr<Core> core_;
};

}  // namespace futures
