// Wrong: looks at the functions in the order they were started; bites when the second fails while
// the first waits: it never gets there.
#pragma once

#include <cstddef>
#include <deque>
#include <future>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/context.hpp"
#include "runtime/error.hpp"

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
    const std::lock_guard lock(mutex_);
    branches_.push_back(std::async(std::launch::async, [this, fn = std::move(fn)]() mutable {
      try {
        return fn(context());
      } catch (...) {
        return Result<void>(std::unexpected(error_from_current_exception()));
      }
    }));
  }

  Result<void> wait() {
    Result<void> first;
    for (std::size_t i = 0; i < count(); ++i) {
      Result<void> outcome = branch(i).get();
      if (outcome || !first) continue;
      first = std::move(outcome);
      source_.cancel();
    }
    return first;
  }

 private:
  std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return branches_.size();
  }
  std::future<Result<void>>& branch(std::size_t i) {
    const std::lock_guard lock(mutex_);
    return branches_[i];
  }

  CancelSource source_;
  mutable std::mutex mutex_;
  std::deque<std::future<Result<void>>> branches_;
};

template <class T>
Result<void> store(Result<T> fetched, T& place) {
  if (!fetched) return std::unexpected(std::move(fetched.error()));
  place = *std::move(fetched);
  return {};
}

inline Result<Profile> fetch_profile(const Context& context, Backend& backend,
                                     std::string_view id) {
  Profile profile;
  ErrorGroup group(context);
  group.go([&](const Context& c) { return store(backend.fetch_user(c, id), profile.user); });
  group.go([&](const Context& c) { return store(backend.fetch_orders(c, id), profile.orders); });
  group.go([&](const Context& c) {
    return store(backend.fetch_recommendations(c, id), profile.recommendations);
  });
  if (auto outcome = group.wait(); !outcome) return std::unexpected(outcome.error());
  return profile;
}

}  // namespace futures
