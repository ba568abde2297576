// Right: every function has a std::promise<void> that is kept when it is over; wait() asks one
// shared_future after the other; the profile is put together from three boxes.
#pragma once

#include <cstddef>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
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
    const auto over = std::make_shared<std::promise<void>>();
    {
      // Before the thread starts. A function that calls go() does so before its own promise is
      // kept: wait(), which asks that one, comes by the new one later.
      const std::lock_guard lock(mutex_);
      ends_.push_back(over->get_future().share());
    }
    try {
      spawn([this, over, fn = std::move(fn)]() mutable {
        perform(std::exchange(fn, nullptr));
        over->set_value();  // from here on `this` is not ours
      });
    } catch (const std::system_error& no_thread) {
      fail(Error{Errc::unavailable, no_thread.what()});
      over->set_value();
    }
  }

  Result<void> wait() {
    for (std::size_t next = 0; const auto end = end_of(next); ++next) end->wait();
    const std::lock_guard lock(mutex_);
    if (cause_) return std::unexpected(*cause_);
    return {};
  }

 private:
  std::optional<std::shared_future<void>> end_of(std::size_t index) const {
    const std::lock_guard lock(mutex_);
    if (index < ends_.size()) return ends_[index];
    return std::nullopt;
  }

  void perform(Fn<Result<void>(const Context&)> fn) {
    try {
      if (auto outcome = fn(context()); !outcome) fail(std::move(outcome).error());
    } catch (...) {
      fail(error_from_current_exception());
    }
  }

  void fail(Error error) {
    std::unique_lock lock(mutex_);
    if (cause_) return;
    cause_ = std::move(error);
    lock.unlock();
    source_.cancel(Error{Errc::cancelled, "another function of the group failed"});
  }

  CancelSource source_;
  mutable std::mutex mutex_;
  std::vector<std::shared_future<void>> ends_;  // guarded by mutex_; grows only
  std::optional<Error> cause_;                  // guarded by mutex_
};

// Fetches the three parts of a profile at the same time. Each part arrives in a box of its own, and
// the profile is put together when all three are there.
inline Result<Profile> fetch_profile(const Context& context, Backend& backend,
                                     std::string_view id) {
  std::tuple<std::optional<User>, std::optional<std::vector<Order>>,
             std::optional<std::vector<Recommendation>>>
      boxes;
  ErrorGroup group(context);
  const auto fetch = [&]<class T>(std::optional<T>& box,
                                  Result<T> (Backend::*part)(const Context&, std::string_view)) {
    group.go([&backend, &box, part, id](const Context& c) -> Result<void> {
      Result<T> fetched = (backend.*part)(c, id);
      if (!fetched) return std::unexpected(std::move(fetched.error()));
      box.emplace(*std::move(fetched));
      return {};
    });
  };
  fetch(std::get<2>(boxes), &Backend::fetch_recommendations);
  fetch(std::get<1>(boxes), &Backend::fetch_orders);
  fetch(std::get<0>(boxes), &Backend::fetch_user);
  if (const auto outcome = group.wait(); !outcome) return std::unexpected(outcome.error());
  return std::apply([](auto&... box) { return Profile{*std::move(box)...}; }, boxes);
}

}  // namespace futures
