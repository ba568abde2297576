// Wrong: a function counts as finished before its error is recorded; bites when the last one fails:
// wait() says success. destroys the group.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
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
  ErrorGroup(const ErrorGroup&) = delete;
  ErrorGroup& operator=(const ErrorGroup&) = delete;

  const Context& context() const { return source_.context(); }

  void go(Fn<Result<void>(const Context&)> fn) {
    {
      const std::lock_guard lock(mutex_);
      ++running_;
    }
    spawn([this, fn = std::move(fn)]() mutable {
      Result<void> outcome = call(std::move(fn));
      finished(std::move(outcome));
    });
  }

  Result<void> wait() {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return running_ == 0; });
    if (first_error_) return std::unexpected(*first_error_);
    return {};
  }

 private:
  Result<void> call(Fn<Result<void>(const Context&)> fn) {
    try {
      return fn(context());
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  void finished(Result<void> outcome) {
    {
      const std::lock_guard lock(mutex_);
      if (--running_ == 0) idle_.notify_all();
    }
    if (!outcome) fail(std::move(outcome.error()));
  }

  void fail(Error error) {
    {
      const std::lock_guard lock(mutex_);
      if (first_error_) return;
      first_error_ = std::move(error);
    }
    source_.cancel();
  }

  CancelSource source_;
  std::mutex mutex_;
  std::condition_variable idle_;
  std::size_t running_ = 0;
  std::optional<Error> first_error_;
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
