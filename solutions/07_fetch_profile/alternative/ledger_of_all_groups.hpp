// Right: one mutex and one condition variable for all groups of the process; the state of a group
// is an entry in a global ledger.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
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

namespace detail {

// The books of all groups. Never destroyed: so there is always something to notify.
class Ledger {
 public:
  using Key = std::uint64_t;

  static Ledger& instance() {
    static auto* ledger = new Ledger;
    return *ledger;
  }

  Key open() {
    const std::lock_guard lock(mutex_);
    entries_.try_emplace(++last_);
    return last_;
  }

  void close(Key key) {
    const std::lock_guard lock(mutex_);
    entries_.erase(key);
  }

  void enter(Key key) {
    const std::lock_guard lock(mutex_);
    ++entries_.at(key).running;
  }

  void leave(Key key) {
    const std::lock_guard lock(mutex_);
    if (--entries_.at(key).running == 0) changed_.notify_all();
  }

  // Whether this is the first one.
  bool blame(Key key, Error error) {
    const std::lock_guard lock(mutex_);
    auto& cause = entries_.at(key).cause;
    if (cause) return false;
    cause = std::move(error);
    return true;
  }

  Result<void> settle(Key key) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return entries_.at(key).running == 0; });
    if (const auto& cause = entries_.at(key).cause) return std::unexpected(*cause);
    return {};
  }

 private:
  struct Entry {
    std::size_t running = 0;
    std::optional<Error> cause;
  };

  std::mutex mutex_;
  std::condition_variable changed_;
  std::unordered_map<Key, Entry> entries_;  // guarded by mutex_
  Key last_ = 0;                            // guarded by mutex_
};

}  // namespace detail

// Functions that run in parallel for one purpose: when one of them fails, the others are pointless.
class ErrorGroup {
 public:
  explicit ErrorGroup(const Context& parent) : source_(with_cancel(parent)) {}
  ErrorGroup(const ErrorGroup&) = delete;
  ErrorGroup& operator=(const ErrorGroup&) = delete;
  ~ErrorGroup() {
    source_.cancel();
    (void)ledger_.settle(key_);
    ledger_.close(key_);
  }

  const Context& context() const { return source_.context(); }

  void go(Fn<Result<void>(const Context&)> fn) {
    if (auto ended = context().error()) {
      fail(*std::move(ended));
      return;
    }
    ledger_.enter(key_);
    try {
      spawn([this, &ledger = ledger_, key = key_, fn = std::move(fn)]() mutable {
        run(std::exchange(fn, {}));
        ledger.leave(key);  // from here on `this` is not ours
      });
    } catch (const std::system_error& no_thread) {
      fail(Error{Errc::unavailable, no_thread.what()});
      ledger_.leave(key_);
    }
  }

  Result<void> wait() { return ledger_.settle(key_); }

 private:
  void run(Fn<Result<void>(const Context&)> fn) {
    std::optional<Error> error;
    try {
      if (auto outcome = fn(context()); !outcome) error = std::move(outcome.error());
    } catch (...) {
      error = error_from_current_exception();
    }
    if (error) fail(*std::move(error));
  }

  void fail(Error error) {
    if (!ledger_.blame(key_, std::move(error))) return;
    source_.cancel(Error{Errc::cancelled, "another function of the group failed"});
  }

  CancelSource source_;
  detail::Ledger& ledger_ = detail::Ledger::instance();
  const detail::Ledger::Key key_ = ledger_.open();
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
