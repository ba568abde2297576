// Wrong: wait() takes the list of threads and joins them, and a second wait() finds the list empty;
// bites when two threads wait at the same time: one returns while functions are running.
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

// Functions that run in parallel for one purpose: when one of them fails, the others are pointless.
// Every member may be called from any thread, go() from inside a function of the group as well.
class ErrorGroup {
 public:
  explicit ErrorGroup(const Context& parent) : source_(with_cancel(parent)) {}
  ErrorGroup(const ErrorGroup&) = delete;
  ErrorGroup& operator=(const ErrorGroup&) = delete;
  ~ErrorGroup() {
    source_.cancel();
    (void)wait();
  }

  const Context& context() const { return source_.context(); }

  void go(Fn<Result<void>(const Context&)> fn) {
    if (auto ended = context().error()) {
      fail(*std::move(ended));
      return;
    }
    const std::lock_guard lock(threads_mutex_);
    threads_.emplace_back([this, fn = std::move(fn)]() mutable {
      if (auto outcome = call(fn); !outcome) fail(std::move(outcome.error()));
    });
  }

  // A function that calls go() is still in the list, or being joined, when it does: so nobody is
  // left out when the list is empty.
  Result<void> wait() {
    while (true) {
      std::vector<std::jthread> threads;
      {
        const std::lock_guard lock(threads_mutex_);
        threads.swap(threads_);
      }
      if (threads.empty()) break;
      threads.clear();  // joins
    }
    const std::lock_guard lock(error_mutex_);
    if (first_error_) return std::unexpected(*first_error_);
    return {};
  }

 private:
  Result<void> call(Fn<Result<void>(const Context&)>& fn) {
    try {
      return fn(context());
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  void fail(Error error) {
    {
      const std::lock_guard lock(error_mutex_);
      if (first_error_) return;
      first_error_ = std::move(error);
    }
    source_.cancel(Error{Errc::cancelled, "another function of the group failed"});
  }

  CancelSource source_;
  std::mutex error_mutex_;
  std::optional<Error> first_error_;  // guarded by error_mutex_
  std::mutex threads_mutex_;
  std::vector<std::jthread> threads_;  // guarded by threads_mutex_; not joined yet
};

namespace detail {

// Puts what was fetched in its place, or passes the error on.
template <class T>
Result<void> store(Result<T> fetched, T& place) {
  if (!fetched) return std::unexpected(std::move(fetched.error()));
  place = *std::move(fetched);
  return {};
}

}  // namespace detail

// Fetches the three parts of a profile at the same time. All of it, or the first error; when that
// comes the other fetches are told to stop. When fetch_profile returns, nobody uses the backend any
// more.
inline Result<Profile> fetch_profile(const Context& context, Backend& backend,
                                     std::string_view id) {
  // No lock: each function writes a part of its own, and nobody reads before wait() has returned.
  Profile profile;
  // After `profile`, and so destroyed before it: whatever happens, no function of the group
  // outlives what it writes to.
  ErrorGroup group(context);
  // They get the group's context. With the caller's, nobody would tell them that a sibling failed.
  group.go(
      [&](const Context& c) { return detail::store(backend.fetch_user(c, id), profile.user); });
  group.go(
      [&](const Context& c) { return detail::store(backend.fetch_orders(c, id), profile.orders); });
  group.go([&](const Context& c) {
    return detail::store(backend.fetch_recommendations(c, id), profile.recommendations);
  });
  if (auto outcome = group.wait(); !outcome) return std::unexpected(std::move(outcome.error()));
  return profile;
}

}  // namespace futures
