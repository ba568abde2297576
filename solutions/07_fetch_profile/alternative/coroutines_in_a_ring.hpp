// Right: every function is a coroutine that hops onto a thread of its own. While it lives its frame
// sits in an intrusive ring; whoever waits hangs a semaphore, on its own stack, into an intrusive
// list, and who leaves the ring empty rings all bells. Functions are started even when the context
// has ended: they decide what that means.
#pragma once

#include <coroutine>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <semaphore>
#include <string>
#include <string_view>
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
  explicit ErrorGroup(const Context& parent) : core_(std::make_shared<Core>(parent)) {}
  ErrorGroup(const ErrorGroup&) = delete;
  ErrorGroup& operator=(const ErrorGroup&) = delete;
  // A frame that is on its way out may hold the core a little longer than we do.
  ~ErrorGroup() { core_->source.cancel(); }

  const Context& context() const { return core_->source.context(); }

  void go(Fn<Result<void>(const Context&)> fn) { life_of(core_, std::move(fn)); }

  Result<void> wait() {
    std::unique_lock lock(core_->mutex);
    Bell mine;
    mine.on_tellers_thread = core_->teller == std::this_thread::get_id();
    if (!core_->may_pass(mine)) {
      mine.next = core_->bells;
      core_->bells = &mine;
      lock.unlock();
      mine.ring.acquire();
      // Whoever rang has the lock until the bell is theirs no more.
      lock.lock();
    }
    if (core_->first) return std::unexpected(*core_->first);
    return {};
  }

 private:
  struct Seat {
    Seat* before = this;
    Seat* after = this;
    Seat() = default;
    Seat(const Seat&) = delete;
    Seat& operator=(const Seat&) = delete;
  };

  struct Bell {
    std::binary_semaphore ring{0};
    bool on_tellers_thread = false;  // a stop callback that waits, below cancel() in the stack
    Bell* next = nullptr;
  };

  struct Core {
    explicit Core(const Context& parent) : source(with_cancel(parent)) {}

    void sit_down(Seat& seat) {
      const std::lock_guard lock(mutex);
      seat.before = head.before;
      seat.after = &head;
      seat.before->after = &seat;
      head.before = &seat;
    }

    // The function has returned and its captures are gone.
    void stand_up(Seat& seat, Result<void> outcome) {
      bool tells = false;
      {
        const std::lock_guard lock(mutex);
        if (!outcome && !first) {
          first = std::move(outcome).error();
          teller = std::this_thread::get_id();
          tells = true;
        }
        seat.before->after = seat.after;
        seat.after->before = seat.before;
        ring();
      }
      if (!tells) return;
      source.cancel();
      const std::lock_guard lock(mutex);
      teller = std::thread::id();
      ring();
    }

    // Both with the mutex held.
    bool may_pass(const Bell& bell) const {
      return head.after == &head && (teller == std::thread::id() || bell.on_tellers_thread);
    }
    void ring() {
      for (Bell** link = &bells; *link != nullptr;) {
        Bell& bell = **link;
        if (!may_pass(bell)) {
          link = &bell.next;
          continue;
        }
        *link = bell.next;
        bell.ring.release();
      }
    }

    CancelSource source;
    std::mutex mutex;
    Seat head;              // guarded by mutex, as all below; the ring of all that live
    Bell* bells = nullptr;  // of all that wait
    std::optional<Error> first;
    std::thread::id teller;  // nobody, or who is ending the context because of the first error
  };

  // Starts at once, and cleans up after itself.
  struct Life {
    struct promise_type {
      Life get_return_object() noexcept { return {}; }
      std::suspend_never initial_suspend() noexcept { return {}; }
      std::suspend_never final_suspend() noexcept { return {}; }
      void return_void() noexcept {}
      void unhandled_exception() noexcept { std::terminate(); }
    };
  };

  struct Elsewhere {
    bool await_ready() const noexcept { return false; }
    // By the time spawn() returns the frame may be gone.
    void await_suspend(std::coroutine_handle<> frame) const {
      spawn([frame] { frame.resume(); });
    }
    void await_resume() const noexcept {}
  };

  static Life life_of(std::shared_ptr<Core> core, Fn<Result<void>(const Context&)> fn) {
    Seat seat;
    core->sit_down(seat);
    Result<void> outcome;
    try {
      co_await Elsewhere{};  // throws, on the caller's thread, when there is no thread to be had
      outcome = fn(core->source.context());
    } catch (...) {
      outcome = std::unexpected(error_from_current_exception());
    }
    fn = nullptr;
    core->stand_up(seat, std::move(outcome));
  }

  const std::shared_ptr<Core> core_;
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
