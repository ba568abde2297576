// After the parent's end every error is taken for its echo: a function's own one is lost.
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

// Functions that run in parallel for one purpose: when one of them fails, the others are pointless.
class ErrorGroup {
 public:
  explicit ErrorGroup(const Context& parent) : source_(with_cancel(parent)) {}
  ErrorGroup(const ErrorGroup&) = delete;
  ErrorGroup& operator=(const ErrorGroup&) = delete;

  const Context& context() const { return source_.context(); }

  void go(Fn<Result<void>(const Context&)> fn) {
    if (context().done()) {
      const std::lock_guard lock(state_->mutex);
      if (!state_->first) state_->first = context().error();
      return;
    }
    {
      const std::lock_guard lock(state_->mutex);
      ++state_->running;
    }
    try {
      spawn([this, state = state_, fn = std::move(fn)]() mutable {
        run(*state, fn);
        fn = nullptr;  // before anybody can see that it is over
        leave(*state);
      });
    } catch (...) {
      fail(*state_, Error{Errc::unavailable, "no thread to run on"});
      leave(*state_);
    }
  }

  Result<void> wait() {
    std::unique_lock lock(state_->mutex);
    state_->idle.wait(lock, [this] { return state_->running == 0; });
    if (state_->first) return std::unexpected(*state_->first);
    return {};
  }

 private:
  // Outlives the group by the moment that a thread needs to let go of the mutex.
  struct State {
    std::mutex mutex;
    std::condition_variable idle;
    std::size_t running = 0;  // guarded by mutex, as is first
    std::optional<Error> first;
  };

  void run(State& state, Fn<Result<void>(const Context&)>& fn) {
    try {
      if (auto result = fn(context()); !result) fail(state, std::move(result.error()));
    } catch (...) {
      fail(state, error_from_current_exception());
    }
  }

  void fail(State& state, Error error) {
    {
      const std::lock_guard lock(state.mutex);
      // Once the context has ended, all that comes is siblings who say that they were told to stop.
      if (!state.first) state.first = context().error().value_or(error);
    }
    source_.cancel(std::move(error));  // runs foreign code: no lock
  }

  static void leave(State& state) {
    const std::lock_guard lock(state.mutex);
    if (--state.running == 0) state.idle.notify_all();
  }

  std::shared_ptr<State> state_ = std::make_shared<State>();
  CancelSource source_;
};

// Fetches the three parts of a profile at the same time. All of it, or the first error.
inline Result<Profile> fetch_profile(const Context& context, Backend& backend,
                                     std::string_view id) {
  std::optional<User> user;
  std::optional<std::vector<Order>> orders;
  std::optional<std::vector<Recommendation>> recommendations;

  ErrorGroup group(context);
  const auto fetch = [&group](auto& part, auto call) {
    group.go([&part, call](const Context& ctx) -> Result<void> {
      auto result = call(ctx);
      if (!result) return std::unexpected(std::move(result.error()));
      part = *std::move(result);
      return {};
    });
  };
  fetch(user, [&](const Context& ctx) { return backend.fetch_user(ctx, id); });
  fetch(orders, [&](const Context& ctx) { return backend.fetch_orders(ctx, id); });
  fetch(recommendations,
        [&](const Context& ctx) { return backend.fetch_recommendations(ctx, id); });

  if (auto done = group.wait(); !done) return std::unexpected(std::move(done.error()));
  return Profile{*std::move(user), *std::move(orders), *std::move(recommendations)};
}

}  // namespace futures
