// Wrong: destroys a function before it counts it as finished only if it has returned; bites when
// one throws: wait returns, and what it had captured is destroyed a moment later.
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

class Backend {
 public:
  virtual ~Backend() = default;
  virtual Result<User> fetch_user(const Context& context, std::string_view id) = 0;
  virtual Result<std::vector<Order>> fetch_orders(const Context& context, std::string_view id) = 0;
  virtual Result<std::vector<Recommendation>> fetch_recommendations(const Context& context,
                                                                    std::string_view id) = 0;
};

namespace detail {

// Which groups this thread is just cancelling, on behalf of a function that has returned: a stop
// callback that waits for such a group must not wait for the thread that it runs on.
struct Cancelling {
  explicit Cancelling(const void* g) : group(g), outer(innermost()) { innermost() = this; }
  ~Cancelling() { innermost() = outer; }
  Cancelling(const Cancelling&) = delete;
  Cancelling& operator=(const Cancelling&) = delete;
  static Cancelling*& innermost() {
    thread_local Cancelling* top = nullptr;
    return top;
  }
  static std::size_t count(const void* group) {
    std::size_t n = 0;
    for (auto* at = innermost(); at != nullptr; at = at->outer) n += at->group == group ? 1 : 0;
    return n;
  }
  const void* group;
  Cancelling* outer;
};

}  // namespace detail

class ErrorGroup {
 public:
  explicit ErrorGroup(const Context& parent) : source_(with_cancel(parent)) {}
  ErrorGroup(const ErrorGroup&) = delete;
  ErrorGroup& operator=(const ErrorGroup&) = delete;

  const Context& context() const { return source_.context(); }

  void go(Fn<Result<void>(const Context&)> fn) {
    {
      const std::lock_guard lock(mutex_);
      if (context().done()) {
        if (!error_) error_ = context().error();
        return;
      }
      ++running_;
    }
    try {
      spawn([this, fn = std::move(fn)]() mutable { run(std::move(fn)); });
    } catch (...) {
      leave();
      throw;
    }
  }

  Result<void> wait() {
    const std::size_t own = detail::Cancelling::count(this);
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [&] { return running_ <= own; });
    if (error_) return std::unexpected(*error_);
    return {};
  }

 private:
  void run(Fn<Result<void>(const Context&)> fn) {
    Result<void> outcome;
    try {
      outcome = fn(context());
      fn = nullptr;
    } catch (...) {
      outcome = std::unexpected(error_from_current_exception());
    }
    if (!outcome) fail(outcome.error());
    leave();
  }

  void fail(const Error& error) {
    {
      const std::lock_guard lock(mutex_);
      if (error_) return;
      error_ = error;
    }
    const detail::Cancelling mark(this);
    source_.cancel();
  }

  void leave() {
    const std::lock_guard lock(mutex_);
    --running_;
    idle_.notify_all();
  }

  CancelSource source_;
  std::mutex mutex_;
  std::condition_variable idle_;
  std::size_t running_ = 0;     // guarded by mutex_
  std::optional<Error> error_;  // guarded by mutex_
};

inline Result<Profile> fetch_profile(const Context& context, Backend& backend,
                                     std::string_view id) {
  Profile profile;
  ErrorGroup group(context);
  const auto into = [](auto& place, auto part) -> Result<void> {
    if (!part) return std::unexpected(part.error());
    place = *std::move(part);
    return {};
  };
  group.go([&](const Context& c) { return into(profile.user, backend.fetch_user(c, id)); });
  group.go([&](const Context& c) { return into(profile.orders, backend.fetch_orders(c, id)); });
  group.go([&](const Context& c) {
    return into(profile.recommendations, backend.fetch_recommendations(c, id));
  });
  if (auto done = group.wait(); !done) return std::unexpected(done.error());
  return profile;
}

}  // namespace futures
