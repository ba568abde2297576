// Wrong: of all errors in order of time, the first that is not "cancelled" is returned; bites when
// a function fails with a "cancelled" of its own and a sibling complains about something else
// afterwards.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
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
      report(*std::move(ended));
      return;
    }
    {
      const std::lock_guard lock(mutex_);
      ++running_;
    }
    try {
      spawn([this, fn = std::move(fn)]() mutable { finished(call(std::exchange(fn, nullptr))); });
    } catch (const std::system_error& no_thread) {
      finished(std::unexpected(Error{Errc::unavailable, no_thread.what()}));
    }
  }

  Result<void> wait() {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return running_ == 0; });
    if (errors_.empty()) return {};
    // What a function says because it was told to stop explains nothing: the first error with a
    // content is the cause. If there is none it was the parent that ended.
    const auto cause = std::ranges::find_if(
        errors_, [](const Error& error) { return error.code != Errc::cancelled; });
    return std::unexpected(cause != errors_.end() ? *cause : errors_.front());
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
    if (!outcome) report(std::move(outcome.error()));
    const std::lock_guard lock(mutex_);
    if (--running_ == 0) idle_.notify_all();
  }

  void report(Error error) {
    {
      const std::lock_guard lock(mutex_);
      errors_.push_back(std::move(error));
    }
    source_.cancel(Error{Errc::cancelled, "another function of the group failed"});
  }

  CancelSource source_;
  std::mutex mutex_;
  std::condition_variable idle_;
  std::size_t running_ = 0;    // guarded by mutex_
  std::vector<Error> errors_;  // guarded by mutex_; in order of time
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
