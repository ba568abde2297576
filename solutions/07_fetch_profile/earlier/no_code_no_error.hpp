// Wrong: takes an error whose code is zero for "no error yet"; bites when the first function to
// fail returns an Error that has a message but no code: wait() says success, or what a sibling says
// later.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
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
// The group must outlive its functions: call wait() before it is destroyed.
class ErrorGroup {
 public:
  explicit ErrorGroup(const Context& parent) : source_(with_cancel(parent)) {}
  ErrorGroup(const ErrorGroup&) = delete;
  ErrorGroup& operator=(const ErrorGroup&) = delete;

  const Context& context() const { return source_.context(); }

  void go(Fn<Result<void>(const Context&)> fn) {
    if (const auto ended = context().error()) {
      const std::lock_guard lock(mutex_);
      remember(*ended);
      return;
    }
    {
      const std::lock_guard lock(mutex_);
      ++running_;
    }
    try {
      spawn([this, fn = std::move(fn)]() mutable {
        over(call(std::exchange(fn, nullptr), context()));
      });
    } catch (const std::system_error& e) {
      over(std::unexpected(Error{Errc::unavailable, e.what()}));
    }
  }

  Result<void> wait() {
    std::unique_lock lock(mutex_);
    // A stop callback that waits runs on the thread that tells: it does not wait for itself.
    const auto self = std::this_thread::get_id();
    idle_.wait(lock, [&] { return running_ == 0 && (!teller_ || *teller_ == self); });
    if (first_.code) return std::unexpected(first_);
    return {};
  }

 private:
  static Result<void> call(Fn<Result<void>(const Context&)> fn, const Context& context) {
    Result<void> outcome;
    try {
      outcome = std::exchange(fn, nullptr)(context);
    } catch (...) {
      outcome = std::unexpected(error_from_current_exception());
    }
    return outcome;
  }

  // With the mutex held. Whether this is the first error.
  bool remember(Error error) {
    if (first_.code) return false;
    first_ = std::move(error);
    return true;
  }

  void over(Result<void> outcome) {
    bool tells = false;
    {
      const std::lock_guard lock(mutex_);
      tells = !outcome && remember(std::move(outcome).error()) && !teller_;
      if (tells) teller_ = std::this_thread::get_id();
      --running_;
      idle_.notify_all();
    }
    if (!tells) return;
    source_.cancel();
    const std::lock_guard lock(mutex_);
    teller_.reset();
    idle_.notify_all();
  }

  CancelSource source_;
  std::mutex mutex_;
  std::condition_variable idle_;
  std::size_t running_ = 0;                // guarded by mutex_, as all below
  Error first_;                            // no code: nobody has failed yet
  std::optional<std::thread::id> teller_;  // who is ending the context right now
};

// Fetches the three parts of a profile at the same time. All of it, or the first error; when that
// comes the other fetches are told to stop. When fetch_profile returns, nobody uses the backend any
// more.
inline Result<Profile> fetch_profile(const Context& context, Backend& backend,
                                     std::string_view id) {
  Profile profile;
  ErrorGroup group(context);
  // Three functions, three members: nobody shares one.
  const auto fetch = [&](auto member, auto part) {
    group.go([&backend, &profile, id, member, part](const Context& ours) -> Result<void> {
      auto got = (backend.*part)(ours, id);
      if (!got) return std::unexpected(std::move(got).error());
      profile.*member = *std::move(got);
      return {};
    });
  };
  fetch(&Profile::user, &Backend::fetch_user);
  fetch(&Profile::orders, &Backend::fetch_orders);
  fetch(&Profile::recommendations, &Backend::fetch_recommendations);
  if (auto outcome = group.wait(); !outcome) return std::unexpected(std::move(outcome).error());
  return profile;
}

}  // namespace futures
