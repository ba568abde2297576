// Right: no mutex. The first error is the pointer that wins a compare-exchange; waiting is an
// atomic wait.
#pragma once

#include <atomic>
#include <memory>
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
  struct State {
    explicit State(const Context& parent) : source(with_cancel(parent)) {}

    void fail(Error why) {
      const Error* nobody = nullptr;
      auto mine = std::make_unique<const Error>(std::move(why));
      if (first_error.compare_exchange_strong(nobody, mine.get())) {
        mine.release();
        source.cancel();
      }
    }

    ~State() { delete first_error.load(); }

    CancelSource source;
    std::atomic<int> running{0};
    std::atomic<const Error*> first_error{nullptr};
  };

 public:
  explicit ErrorGroup(const Context& parent) : state_(std::make_shared<State>(parent)) {}

  const Context& context() const { return state_->source.context(); }

  void go(Fn<Result<void>(const Context&)> fn) {
    state_->running.fetch_add(1);
    spawn([state = state_, fn = std::move(fn)]() mutable {
      try {
        auto outcome = fn(state->source.context());
        if (!outcome) state->fail(std::move(outcome.error()));
      } catch (...) {
        state->fail(error_from_current_exception());
      }
      fn = nullptr;
      state->running.fetch_sub(1);
      state->running.notify_all();
    });
  }

  Result<void> wait() {
    while (const int running = state_->running.load()) state_->running.wait(running);
    if (const Error* error = state_->first_error.load()) return std::unexpected(*error);
    return {};
  }

 private:
  std::shared_ptr<State> state_;  // shared, because notify_all() comes after the last look at it
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
