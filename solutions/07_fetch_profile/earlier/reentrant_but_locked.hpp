// Wrong: the context is ended with the group's recursive mutex held, which lets one thread in;
// bites when a stop callback waits for another thread that is in go().
#pragma once

#include <condition_variable>
#include <cstddef>
#include <expected>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
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

struct Order {
  std::string id;
  friend bool operator==(const Order&, const Order&) = default;
};

struct Recommendation {
  std::string sku;
  friend bool operator==(const Recommendation&, const Recommendation&) = default;
};

struct Profile {
  User user;
  std::vector<Order> orders;
  std::vector<Recommendation> recommendations;
  friend bool operator==(const Profile&, const Profile&) = default;
};

// Every member may be called from any thread, blocks until it has an answer, and is expected, but
// can't be forced, to give up when its context ends. `id` is only good during the call.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual Result<User> fetch_user(const Context& context, std::string_view id) = 0;
  virtual Result<std::vector<Order>> fetch_orders(const Context& context, std::string_view id) = 0;
  virtual Result<std::vector<Recommendation>> fetch_recommendations(const Context& context,
                                                                    std::string_view id) = 0;
};

class ErrorGroup {
 public:
  explicit ErrorGroup(const Context& parent) : source_(with_cancel(parent)) {}
  ErrorGroup(const ErrorGroup&) = delete;
  ErrorGroup& operator=(const ErrorGroup&) = delete;

  const Context& context() const { return source_.context(); }

  void go(Fn<Result<void>(const Context&)> fn) {
    {
      const std::lock_guard lock(mutex_);
      if (auto over = context().error()) {
        if (!first_) first_ = std::move(over);
        return;
      }
      ++running_;
    }
    try {
      spawn([this, fn = std::move(fn)]() mutable {
        auto outcome = run(std::move(fn));
        ended(std::move(outcome));
      });
    } catch (...) {
      ended(std::unexpected(error_from_current_exception()));
    }
  }

  Result<void> wait() {
    std::unique_lock lock(mutex_);
    all_ended_.wait(lock, [this] {
      return running_ == 0 || (running_ == 1 && failing_ == std::this_thread::get_id());
    });
    if (first_) return std::unexpected(*first_);
    return {};
  }

 private:
  // By value: what fn captured is gone when this returns.
  Result<void> run(Fn<Result<void>(const Context&)> fn) const {
    Fn<Result<void>(const Context&)> mine = std::move(fn);
    try {
      return mine(context());
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  // Error, cancellation and count change in one step, so that nobody sees one without the others.
  void ended(Result<void> outcome) {
    const std::lock_guard lock(mutex_);
    if (!outcome && !first_) {
      first_ = std::move(outcome).error();
      failing_ = std::this_thread::get_id();
      // Stop callbacks may call us: hence the recursive mutex.
      source_.cancel(Error{Errc::cancelled, "another function of the group failed"});
      failing_ = {};
    }
    if (--running_ == 0) all_ended_.notify_all();
  }

  CancelSource source_;
  std::recursive_mutex mutex_;
  std::condition_variable_any all_ended_;
  // Guarded by mutex_:
  std::size_t running_ = 0;
  std::optional<Error> first_;
  std::thread::id failing_;
};

inline Result<Profile> fetch_profile(const Context& context, Backend& backend,
                                     std::string_view id) {
  Profile profile;
  ErrorGroup group(context);
  group.go([&](const Context& ctx) -> Result<void> {
    auto user = backend.fetch_user(ctx, id);
    if (!user) return std::unexpected(std::move(user).error());
    profile.user = *std::move(user);
    return {};
  });
  group.go([&](const Context& ctx) -> Result<void> {
    auto orders = backend.fetch_orders(ctx, id);
    if (!orders) return std::unexpected(std::move(orders).error());
    profile.orders = *std::move(orders);
    return {};
  });
  group.go([&](const Context& ctx) -> Result<void> {
    auto recommendations = backend.fetch_recommendations(ctx, id);
    if (!recommendations) return std::unexpected(std::move(recommendations).error());
    profile.recommendations = *std::move(recommendations);
    return {};
  });
  if (auto all = group.wait(); !all) return std::unexpected(std::move(all).error());
  return profile;
}

}  // namespace futures
