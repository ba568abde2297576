// Right: every function sends its outcome through a channel; waiting is receiving as many as were
// started.
#pragma once

#include <atomic>
#include <cstddef>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
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

// Where the parts come from. Every member may be called from any thread, blocks until it has an
// answer, and is expected, but can't be forced, to give up when its context ends. `id` is only good
// during the call.
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

  const Context& context() const { return source_.context(); }

  void go(Fn<Result<void>(const Context&)> fn) {
    ++expected_;
    spawn([this, outcomes = sender_, fn = std::move(fn)]() mutable {
      Result<void> outcome;
      try {
        outcome = fn(context());
      } catch (...) {
        outcome = std::unexpected(error_from_current_exception());
      }
      fn = nullptr;
      // Whoever holds the lock is first; the group must not be touched after the last send.
      std::unique_lock lock(mutex_);
      const bool first = !outcome && !std::exchange(failed_, true);
      if (first) first_error_ = outcome.error();
      lock.unlock();
      if (first) source_.cancel();
      outcomes.send(std::move(outcome));
    });
  }

  Result<void> wait() {
    const std::lock_guard one_at_a_time(waiting_);
    for (; received_ < expected_; ++received_) (void)receiver_.receive();
    const std::lock_guard lock(mutex_);
    if (first_error_) return std::unexpected(*first_error_);
    return {};
  }

 private:
  CancelSource source_;
  std::mutex waiting_;
  std::mutex mutex_;
  bool failed_ = false;
  std::optional<Error> first_error_;
  std::atomic<std::size_t> expected_{0};
  std::size_t received_ = 0;
  std::pair<Sender<Result<void>>, Receiver<Result<void>>> channel_ =
      make_channel<Result<void>>(std::numeric_limits<std::size_t>::max() / 2);
  Sender<Result<void>>& sender_ = channel_.first;
  Receiver<Result<void>>& receiver_ = channel_.second;
};

inline Result<Profile> fetch_profile(const Context& context, Backend& backend,
                                     std::string_view id) {
  std::optional<User> user;
  std::optional<std::vector<Order>> orders;
  Result<std::vector<Recommendation>> recommendations;
  ErrorGroup group(context);
  group.go([&](const Context& c) -> Result<void> {
    auto fetched = backend.fetch_user(c, id);
    if (!fetched) return std::unexpected(fetched.error());
    user = *fetched;
    return {};
  });
  group.go([&](const Context& c) -> Result<void> {
    auto fetched = backend.fetch_orders(c, id);
    if (!fetched) return std::unexpected(fetched.error());
    orders = *fetched;
    return {};
  });
  // The third one starts last and writes straight into the result.
  group.go([&](const Context& c) -> Result<void> {
    recommendations = backend.fetch_recommendations(c, id);
    if (!recommendations) return std::unexpected(recommendations.error());
    return {};
  });
  if (auto outcome = group.wait(); !outcome) return std::unexpected(outcome.error());
  return Profile{*user, *orders, *recommendations};
}

}  // namespace futures
