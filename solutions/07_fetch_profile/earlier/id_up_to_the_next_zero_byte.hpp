// Wrong: takes the id for a C string; bites when it is part of a longer text, or has a zero byte
// inside.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
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

// Given: what a profile is made of, and where it comes from.
// ---------------------------------------

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

// Functions that run in parallel for one purpose. ------------------------------------------------

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
        // Leaving work out must not look like success.
        if (!error_) error_ = context().error();
        return;
      }
      ++running_;
    }
    try {
      spawn([this, fn = std::move(fn)]() mutable { run(std::move(fn)); });
    } catch (...) {
      fail(error_from_current_exception());
      count_down();
    }
  }

  Result<void> wait() {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return running_ == 0; });
    if (error_) return std::unexpected(*error_);
    return {};
  }

 private:
  void run(Fn<Result<void>(const Context&)> given) {
    {
      // The captures go before this function counts as ended.
      const auto fn = std::make_unique<Fn<Result<void>(const Context&)>>(std::move(given));
      try {
        if (auto result = (*fn)(context()); !result) fail(std::move(result).error());
      } catch (...) {
        fail(error_from_current_exception());
      }
    }
    count_down();
  }

  // Records first and cancels then, so that no sibling's "cancelled" comes in between.
  void fail(Error error) {
    {
      const std::lock_guard lock(mutex_);
      if (error_) return;
      error_ = std::move(error);
    }
    source_.cancel();
  }

  void count_down() {
    const std::lock_guard lock(mutex_);
    --running_;
    // Under the lock: whoever waits may destroy this group as soon as it has it.
    if (running_ == 0) idle_.notify_all();
  }

  CancelSource source_;
  std::mutex mutex_;
  std::condition_variable idle_;
  std::size_t running_ = 0;     // guarded by mutex_, as below
  std::optional<Error> error_;  // the first one
};

inline Result<Profile> fetch_profile(const Context& context, Backend& backend,
                                     std::string_view id) {
  std::optional<User> user;
  std::optional<std::vector<Order>> orders;
  std::optional<std::vector<Recommendation>> recommendations;
  // Runs one of the fetches and puts what it brings into its place.
  const auto into = [](auto& place, auto fetched) -> Result<void> {
    if (!fetched) return std::unexpected(std::move(fetched).error());
    place.emplace(*std::move(fetched));
    return {};
  };

  // A copy of its own for each thread: the caller's text is only lent.
  ErrorGroup group(context);
  group.go([&, key = std::string(id.data())](const Context& c) {
    return into(user, backend.fetch_user(c, key));
  });
  group.go([&, key = std::string(id.data())](const Context& c) {
    return into(orders, backend.fetch_orders(c, key));
  });
  group.go([&, key = std::string(id.data())](const Context& c) {
    return into(recommendations, backend.fetch_recommendations(c, key));
  });
  if (auto result = group.wait(); !result) return std::unexpected(std::move(result).error());
  return Profile{*std::move(user), *std::move(orders), *std::move(recommendations)};
}

}  // namespace futures
