// Wrong: the third fetch is given the caller's context, not the group's; bites when another one
// fails while it is under way: it is never told to stop.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <optional>
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
// Every member may be called from any thread, go() from inside a function of the group as well. The
// destructor ends the context and waits, so a group never outlives what it was started for.
class ErrorGroup {
 public:
  // The group's context is a child of `parent`: it ends with it.
  explicit ErrorGroup(const Context& parent) : source_(with_cancel(parent)) {}
  ErrorGroup(const ErrorGroup&) = delete;
  ErrorGroup& operator=(const ErrorGroup&) = delete;

  ~ErrorGroup() {
    source_.cancel();
    (void)wait();
  }

  // What the functions of this group see. Ends when one of them fails, and when the parent ends.
  const Context& context() const { return source_.context(); }

  // Runs fn(context()) on a thread of its own and returns at once. The first function to return an
  // error, in time, decides what wait() returns, and ends the group's context. An exception counts
  // as an error. When the context has ended already fn is not started; that, too, is an error.
  void go(Fn<Result<void>(const Context&)> fn) {
    if (auto ended = context().error()) {
      fail(*std::move(ended));
      return;
    }
    started();
    try {
      spawn([this, fn = std::move(fn)]() mutable {
        // Two statements: fn's captures are gone before the group counts it as finished, so who
        // comes back from wait() may destroy what they refer to.
        Result<void> outcome = call(std::move(fn));
        finished(std::move(outcome));
      });
    } catch (const std::system_error& no_thread) {
      finished(std::unexpected(Error{Errc::unavailable, no_thread.what()}));
    }
  }

  // Returns when every function has returned: success, or the first error. Always all of them: who
  // waits may then destroy whatever they used. May be called again, and says the same.
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

  void started() {
    const std::lock_guard lock(mutex_);
    ++running_;
  }

  void finished(Result<void> outcome) {
    if (!outcome) fail(std::move(outcome.error()));
    const std::lock_guard lock(mutex_);
    // Under the lock: who waits may destroy the group as soon as it can have the lock.
    if (--running_ == 0) idle_.notify_all();
  }

  void fail(Error error) {
    {
      const std::lock_guard lock(mutex_);
      if (first_error_) return;
      first_error_ = std::move(error);
    }
    // After the error is recorded, or a sibling that stops because of this could be quicker to
    // report "cancelled". Without the lock, because cancelling runs other people's stop callbacks.
    source_.cancel(Error{Errc::cancelled, "another function of the group failed"});
  }

  CancelSource source_;
  std::mutex mutex_;
  std::condition_variable idle_;
  std::size_t running_ = 0;           // guarded by mutex_; started and not yet finished
  std::optional<Error> first_error_;  // guarded by mutex_; never changes once set
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
  group.go([&](const Context&) {
    return detail::store(backend.fetch_recommendations(context, id), profile.recommendations);
  });
  if (auto outcome = group.wait(); !outcome) return std::unexpected(std::move(outcome.error()));
  return profile;
}

}  // namespace futures
