// Context: how a caller says "stop, I no longer want this", and until when it wants it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>

#include "error.hpp"
#include "timer.hpp"

namespace futures {

class Context;

namespace detail {

// One node of the tree of contexts. A child holds on to its parent, never the other way round.
class ContextState : public std::enable_shared_from_this<ContextState> {
 public:
  // The root. It never ends, so that nobody needs to listen to it: its token has no state that all
  // threads of the program would share.
  ContextState() : stop_(std::nostopstate) {}

  explicit ContextState(std::optional<Clock::time_point> deadline) : deadline_(deadline) {}

  ~ContextState() {
    if (timer_) Timer::instance().cancel(*timer_);
  }

  // Makes the node follow its parent and its own deadline. Separate from the constructor, because
  // both may cancel at once and need weak_from_this().
  void attach(std::shared_ptr<ContextState> parent) {
    parent_ = std::move(parent);
    if (parent_->token().stop_possible()) {
      parent_link_.emplace(parent_->token(), FollowParent{this});
    }
    const auto deadline = deadline_;  // nobody else knows this node yet
    if (!deadline || token().stop_requested()) return;
    if (*deadline <= Clock::now()) {
      cancel(deadline_error());
      return;
    }
    const std::lock_guard lock(mutex_);
    set_timer(*deadline);
  }

  // Brings the deadline forward, never back. The deadline of a node that has ended stays as it is.
  void tighten(Clock::time_point deadline) {
    const bool passed = deadline <= Clock::now();
    {
      const std::lock_guard lock(mutex_);
      if (!reason_ && (!deadline_ || deadline < *deadline_)) {
        if (!passed) set_timer(deadline);
        deadline_ = deadline;
      }
    }
    // Also when it is not news: the timer may not have come round to it yet.
    if (passed) cancel(deadline_error());
  }

  // The first reason stays. It is written before the stop is requested, so that whoever is told to
  // stop can already read why.
  void cancel(Error why) {
    std::optional<Timer::Id> timer;
    {
      const std::lock_guard lock(mutex_);
      if (!reason_) reason_ = std::move(why);
      timer = std::exchange(timer_, std::nullopt);
    }
    // An ended node needs no timer, however long somebody keeps a handle on it.
    if (timer) Timer::instance().cancel(*timer);
    // Also when somebody else gave the reason: they may not have come this far, and whoever has
    // called cancel() relies on done().
    stop_.request_stop();
  }

  std::optional<Error> reason() const {
    const std::lock_guard lock(mutex_);
    return reason_;
  }

  std::stop_token token() const { return stop_.get_token(); }

  // A loop, and not what the parents said when this node was made: theirs may be tightened later.
  std::optional<Clock::time_point> deadline() const {
    std::optional<Clock::time_point> earliest;
    for (const auto* node = this; node->parent_; node = node->parent_.get()) {  // the root has none
      const std::lock_guard lock(node->mutex_);
      if (node->deadline_ && (!earliest || *node->deadline_ < *earliest)) {
        earliest = node->deadline_;
      }
    }
    return earliest;
  }

  static Error deadline_error() {
    return Error{Errc::deadline_exceeded, "the deadline of the context passed"};
  }

 private:
  struct FollowParent {
    ContextState* child;
    void operator()() const {
      // A child whose last handle is going away in this moment needs no news.
      if (auto self = child->weak_from_this().lock()) {
        self->cancel(*self->parent_->reason());
      }
    }
  };

  // With the mutex held. When the timer throws, nothing has changed.
  void set_timer(Clock::time_point when) {
    if (reason_) return;
    const auto entry = Timer::instance().schedule(when, [weak = weak_from_this()] {
      if (auto self = weak.lock()) self->cancel(deadline_error());
    });
    if (timer_) Timer::instance().cancel(*timer_);
    timer_ = entry;
  }

  std::stop_source stop_;
  std::shared_ptr<ContextState> parent_;  // set by attach(), constant after it; null for the root
  mutable std::mutex mutex_;
  std::optional<Clock::time_point> deadline_;  // its own, guarded by mutex_; only moves forward
  std::optional<Error> reason_;                // guarded by mutex_; set once
  std::optional<Timer::Id> timer_;             // guarded by mutex_; none once there is a reason
  // Last member, so destroyed first: its destructor waits for a callback that is running elsewhere.
  std::optional<std::stop_callback<FollowParent>> parent_link_;
};

}  // namespace detail

// A handle on a node in a tree of cancellations; copies share the node. Cancelling a parent cancels
// its children, never the other way round. Safe to use from many threads at once.
class Context {
 public:
  // The root: never cancelled, no deadline.
  static Context background() {
    static const auto* root = new Context(std::make_shared<detail::ContextState>());
    return *root;
  }

  // Whether the context has ended. Never goes back to false.
  bool done() const { return state_->token().stop_requested(); }

  // Why the context ended; nullopt while it has not. The first reason is kept for good: a context
  // that was cancelled does not turn into deadline_exceeded later.
  std::optional<Error> error() const {
    // Between "reason written" and "stop requested" the context has not ended yet: done() and
    // error() must agree for everybody.
    return done() ? state_->reason() : std::nullopt;
  }

  // The earliest deadline on the way up to the root, as things are: see CancelSource::tighten().
  std::optional<Clock::time_point> deadline() const { return state_->deadline(); }

  // For std::stop_callback and condition_variable_any::wait(lock, token, predicate).
  std::stop_token stop_token() const { return state_->token(); }

  // Sleeps; returns true when the whole time passed and false, at once, when the context ended
  // first.
  template <class Rep, class Period>
  bool sleep_for(std::chrono::duration<Rep, Period> duration) const {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    wake.wait_until(lock, stop_token(), detail::after(duration), [] { return false; });
    return !done();
  }

 private:
  friend class CancelSource;
  friend class ContextFactory;
  explicit Context(std::shared_ptr<detail::ContextState> state) : state_(std::move(state)) {}

  std::shared_ptr<detail::ContextState> state_;
};

// The right to cancel a context. Cancels it when it goes out of scope, so that nothing that was
// started for a scope outlives the scope unnoticed. Move-only; a moved-from source does nothing.
class CancelSource {
 public:
  CancelSource(CancelSource&&) = default;
  CancelSource& operator=(CancelSource&& other) noexcept {
    if (this != &other) {
      cancel();
      context_ = std::move(other.context_);
    }
    return *this;
  }
  CancelSource(const CancelSource&) = delete;
  CancelSource& operator=(const CancelSource&) = delete;
  ~CancelSource() { cancel(); }

  const Context& context() const { return context_; }

  // Ends the context; only the first reason counts. Runs the stop callbacks of everybody who
  // listens on this thread, so do not call it with a lock held that they might want.
  void cancel(Error why = Error{Errc::cancelled, "the context was cancelled"}) {
    // A copy: a callback may destroy this source while it is being cancelled.
    if (auto state = context_.state_) state->cancel(std::move(why));
  }

  // Gives the context an earlier deadline: its deadline(), and that of its children, says so from
  // now on, and it ends then with Errc::deadline_exceeded. A later one than it has, and any for a
  // context that has ended, changes nothing: a deadline is never taken back. One that has passed
  // ends the context at once, as cancel() does, and with the same caveat.
  //
  // Like cancel() it may be called from many threads at once: the earliest deadline wins.
  void tighten(Clock::time_point deadline) {
    if (auto state = context_.state_) state->tighten(deadline);
  }

 private:
  friend class ContextFactory;
  explicit CancelSource(Context context) : context_(std::move(context)) {}

  Context context_;
};

class ContextFactory {
 private:
  friend CancelSource with_cancel(const Context& parent);
  friend CancelSource with_deadline(const Context& parent, Clock::time_point deadline);

  static CancelSource child(const Context& parent, std::optional<Clock::time_point> deadline) {
    if (deadline) {
      // The parent ends the child by then in any case: no need for a timer.
      const auto inherited = parent.deadline();
      if (inherited && *inherited <= *deadline) deadline.reset();
    }
    auto state = std::make_shared<detail::ContextState>(deadline);
    state->attach(parent.state_);
    return CancelSource(Context(std::move(state)));
  }
};

// A child that can be cancelled on its own and ends with its parent.
inline CancelSource with_cancel(const Context& parent) {
  return ContextFactory::child(parent, std::nullopt);
}

// A child that also ends, with Errc::deadline_exceeded, at the deadline; the parent's stays in
// force when it is earlier. A deadline in the past ends the child at once.
inline CancelSource with_deadline(const Context& parent, Clock::time_point deadline) {
  return ContextFactory::child(parent, deadline);
}

inline CancelSource with_timeout(const Context& parent, Clock::duration timeout) {
  return with_deadline(parent, detail::after(timeout));
}

}  // namespace futures
