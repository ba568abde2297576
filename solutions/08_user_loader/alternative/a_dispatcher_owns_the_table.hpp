// Right: no lock. One thread owns the table of flights and runs what others send it through a
// channel; callers wait for an answer in a channel of their own.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

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

  explicit UserLoader(Load load)
      : table_(std::make_shared<Table>(std::move(load))), dispatcher_([table = table_] {
          while (auto task = table->inbox.second.receive()) (*task)();
        }) {}
  UserLoader(const UserLoader&) = delete;
  UserLoader& operator=(const UserLoader&) = delete;
  ~UserLoader() { table_->inbox.first.close(); }

  Result<User> get(const Context& ctx, const std::string& id) {
    if (auto ended = ctx.error()) return std::unexpected(*std::move(ended));
    auto caller = std::make_shared<Caller>();
    post([table = table_, caller, id] { join(table, caller, id); });
    if (auto answer = caller->answer.second.receive(ctx)) return *std::move(answer);
    // Only the dispatcher knows whether this caller was the last one; it answers at once.
    post([table = table_, caller, id] { leave(*table, caller, id); });
    const auto abandoned = caller->farewell.second.receive();
    if (abandoned && *abandoned) (*abandoned)->lifetime.cancel();
    if (auto answer = caller->answer.second.try_receive()) return *std::move(answer);
    return std::unexpected(*ctx.error());
  }

  void forget(const std::string& id) {
    auto forgotten = make_channel<bool>(1);
    post([table = table_, id, done = forgotten.first] {
      table->flights.erase(id);
      done.send(true);
    });
    forgotten.second.receive();
  }

 private:
  struct Flight;

  struct Caller {
    std::pair<Sender<Result<User>>, Receiver<Result<User>>> answer = make_channel<Result<User>>(1);
    // What has to be cancelled now that this caller has left, null when others stay.
    std::pair<Sender<std::shared_ptr<Flight>>, Receiver<std::shared_ptr<Flight>>> farewell =
        make_channel<std::shared_ptr<Flight>>(1);
    std::shared_ptr<Flight> flight;  // used by the dispatcher only
  };

  struct Flight {
    std::vector<std::shared_ptr<Caller>> callers;  // used by the dispatcher only
    CancelSource lifetime = with_cancel(Context::background());
  };

  struct Table {
    explicit Table(Load l) : load(std::move(l)) {}

    const Load load;
    std::pair<Sender<Fn<void()>>, Receiver<Fn<void()>>> inbox =
        make_channel<Fn<void()>>(std::numeric_limits<std::size_t>::max() / 2);
    std::map<std::string, std::shared_ptr<Flight>> flights;  // used by the dispatcher only
  };

  void post(Fn<void()> task) { table_->inbox.first.send(std::move(task)); }

  // These run on the dispatcher's thread.
  static void join(const std::shared_ptr<Table>& table, const std::shared_ptr<Caller>& caller,
                   const std::string& id) {
    auto& flight = table->flights[id];
    if (!flight) {
      flight = std::make_shared<Flight>();
      spawn([table, flight, id] {
        Result<User> outcome = call(table->load, flight->lifetime.context(), id);
        table->inbox.first.send([&table = *table, flight, id, outcome = std::move(outcome)] {
          land(table, flight, id, outcome);
        });
      });
    }
    caller->flight = flight;
    flight->callers.push_back(caller);
  }

  static void land(Table& table, const std::shared_ptr<Flight>& flight, const std::string& id,
                   const Result<User>& outcome) {
    remove(table, flight, id);
    for (auto& caller : flight->callers) {
      caller->flight = nullptr;
      caller->answer.first.send(outcome);
    }
    flight->callers.clear();
  }

  static void leave(Table& table, const std::shared_ptr<Caller>& caller, const std::string& id) {
    auto flight = std::exchange(caller->flight, nullptr);
    if (flight) {
      std::erase(flight->callers, caller);
      if (flight->callers.empty()) {
        remove(table, flight, id);
      } else {
        flight = nullptr;
      }
    }
    caller->farewell.first.send(flight);
  }

  static void remove(Table& table, const std::shared_ptr<Flight>& flight, const std::string& id) {
    const auto entry = table.flights.find(id);
    if (entry != table.flights.end() && entry->second == flight) table.flights.erase(entry);
  }

  static Result<User> call(const Load& load, const Context& context, const std::string& id) {
    try {
      return load(context, id);
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  std::shared_ptr<Table> table_;
  std::jthread dispatcher_;
};

}  // namespace futures
