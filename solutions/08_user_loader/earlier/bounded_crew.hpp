// Wrong: loads run on a crew of at most 256 threads; bites when so many loads wait for a load of
// another user.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
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

  explicit UserLoader(Load load) : office_(std::make_shared<Office>(std::move(load))) {}
  UserLoader(const UserLoader&) = delete;
  UserLoader& operator=(const UserLoader&) = delete;

  Result<User> get(const Context& ctx, const std::string& id) {
    if (auto over = ctx.error()) return std::unexpected(*std::move(over));
    std::shared_ptr<Order> order;
    {
      std::unique_lock lock(office_->mutex);
      order = take(id);
      if (!order) {
        return std::unexpected(Error{Errc::unavailable, "no thread for the load of '" + id + "'"});
      }
      order->done.wait(lock, ctx.stop_token(), [&] { return order->outcome.has_value(); });
      if (order->outcome) return *order->outcome;
      if (--order->callers != 0) return std::unexpected(*ctx.error());
      office_->strike(*order);
    }
    order->source.cancel();
    return std::unexpected(*ctx.error());
  }

  void forget(const std::string& id) {
    const std::lock_guard lock(office_->mutex);
    office_->orders.erase(id);
  }

 private:
  // A load that is due or under way.
  struct Order {
    explicit Order(std::string name) : id(std::move(name)) {}

    const std::string id;
    CancelSource source = with_cancel(Context::background());
    std::condition_variable_any done;
    // Guarded by the office's mutex:
    std::size_t callers = 0;
    std::optional<Result<User>> outcome;
  };

  // Shared with the crew, which may outlive the loader.
  struct Office {
    // Enough for any page, and few enough for any machine.
    static constexpr std::size_t max_crew = 256;

    explicit Office(Load l) : load(std::move(l)) {}

    // With the mutex held. Only if the entry is this very order.
    void strike(const Order& order) {
      const auto found = orders.find(order.id);
      if (found != orders.end() && found->second.get() == &order) orders.erase(found);
    }

    const Load load;
    std::mutex mutex;
    // Guarded by mutex:
    std::unordered_map<std::string, std::shared_ptr<Order>> orders;
    std::deque<std::shared_ptr<Order>> queue;
    std::size_t crew = 0;
  };

  // With the mutex held: the order of that id, placed now or before, with one caller more.
  std::shared_ptr<Order> take(const std::string& id) {
    if (const auto found = office_->orders.find(id); found != office_->orders.end()) {
      ++found->second->callers;
      return found->second;
    }
    auto order = std::make_shared<Order>(id);
    const auto place = office_->orders.emplace(id, order).first;
    office_->queue.push_back(order);
    if (office_->crew < Office::max_crew) {
      try {
        spawn([office = office_] { work(*office); });
        ++office_->crew;
      } catch (...) {
        office_->queue.pop_back();
        office_->orders.erase(place);
        return nullptr;
      }
    }
    ++order->callers;
    return order;
  }

  // Works as long as there is something in the queue; nobody idles.
  static void work(Office& office) {
    while (const auto order = next(office)) {
      Result<User> outcome = ask(office.load, *order);
      const std::lock_guard lock(office.mutex);
      office.strike(*order);
      order->outcome.emplace(std::move(outcome));
      order->done.notify_all();
    }
  }

  static std::shared_ptr<Order> next(Office& office) {
    const std::lock_guard lock(office.mutex);
    if (office.queue.empty()) {
      --office.crew;
      return nullptr;
    }
    auto order = std::move(office.queue.front());
    office.queue.pop_front();
    return order;
  }

  static Result<User> ask(const Load& load, const Order& order) {
    try {
      return load(order.source.context(), order.id);
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  const std::shared_ptr<Office> office_;
};

}  // namespace futures
