// Wrong: joins the threads that there are when wait() is called; bites when one of them starts
// another: nobody waits for that one.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
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
  ~ErrorGroup() { join(); }

  const Context& context() const { return source_.context(); }

  void go(Fn<Result<void>(const Context&)> fn) {
    const std::lock_guard lock(mutex_);
    threads_.emplace_back([this, fn = std::move(fn)]() mutable {
      try {
        const Result<void> outcome = fn(context());
        if (!outcome) fail(outcome.error());
      } catch (...) {
        fail(error_from_current_exception());
      }
    });
  }

  Result<void> wait() {
    join();
    const std::lock_guard lock(mutex_);
    if (first_error_) return std::unexpected(*first_error_);
    return {};
  }

 private:
  void join() {
    std::vector<std::jthread> threads;
    {
      const std::lock_guard lock(mutex_);
      threads.swap(threads_);
    }
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
  std::vector<std::jthread> threads_;
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
