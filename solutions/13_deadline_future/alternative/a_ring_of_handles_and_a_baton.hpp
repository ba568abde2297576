// Right, and odd: nothing counts handles, they are links of a ring in the work, and the last one
// finds the ring empty when it has left it. Awaiters are links of another ring, each with a
// condition variable on its own stack; the end of fn wakes the first of them, and each that leaves
// hands the baton to the next. The phases of the work are a variant.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <variant>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// A link of a ring, at first a ring of its own. Guarded by the mutex of the work.
struct DeadlineLink {
  DeadlineLink() = default;
  DeadlineLink(const DeadlineLink&) = delete;
  DeadlineLink& operator=(const DeadlineLink&) = delete;

  bool alone() const { return after == this; }
  void enter_before(DeadlineLink& place) {
    before = place.before;
    after = &place;
    before->after = this;
    place.before = this;
  }
  void leave() {
    before->after = after;
    after->before = before;
    before = after = this;
  }

  DeadlineLink* before = this;
  DeadlineLink* after = this;
};

template <class T>
struct RingedWork {
  using Outcome = std::shared_ptr<const Result<T>>;
  struct Running {};
  struct Closing {  // fn has returned: news for its own thread only
    std::thread::id by;
    Outcome outcome;
  };
  struct Settled {
    Outcome outcome;
  };
  struct Waiter : DeadlineLink {
    std::condition_variable_any wake;
  };

  void work(Fn<Result<T>(const Context&)> fn) {
    Outcome outcome;
    try {
      outcome = std::make_shared<const Result<T>>(fn(source.context()));
    } catch (...) {
      outcome = std::make_shared<const Result<T>>(std::unexpected(error_from_current_exception()));
    }
    {
      const std::lock_guard lock(mutex);
      phase = Closing{std::this_thread::get_id(), outcome};
    }
    fn = nullptr;
    source.cancel();
    const std::lock_guard lock(mutex);
    phase = Settled{std::move(outcome)};
    pass_the_baton();
  }

  Result<T> await(const Context& context) {
    const auto deadline = context.deadline();
    if (deadline) source.tighten(*deadline);
    Outcome outcome;
    {
      std::unique_lock lock(mutex);
      Waiter me;
      me.enter_before(waiters);
      me.wake.wait(lock, context.stop_token(), [this] { return look() != nullptr; });
      me.leave();
      outcome = look();
      if (std::holds_alternative<Settled>(phase)) pass_the_baton();
    }
    if (outcome) return *outcome;
    // The timer may have come round to this awaiter first, and this handle may be the last.
    if (deadline && *deadline <= Clock::now()) source.tighten(*deadline);
    return std::unexpected(*context.error());
  }

  void end() {
    const auto due = source.context().deadline();
    if (due && *due <= Clock::now()) source.tighten(*due);
    source.cancel();
  }

  // All below: with the mutex held.
  Outcome look() const {
    if (const auto* settled = std::get_if<Settled>(&phase)) return settled->outcome;
    const auto* closing = std::get_if<Closing>(&phase);
    return closing != nullptr && closing->by == std::this_thread::get_id() ? closing->outcome
                                                                           : nullptr;
  }
  void pass_the_baton() {
    if (!waiters.alone()) static_cast<Waiter*>(waiters.after)->wake.notify_one();
  }

  CancelSource source = with_cancel(Context::background());
  std::mutex mutex;
  DeadlineLink handles;  // guarded by mutex, as all below
  DeadlineLink waiters;
  std::variant<Running, Closing, Settled> phase;
};

}  // namespace detail

template <class T>
class DeadlineFuture {
 public:
  DeadlineFuture(const DeadlineFuture& other) : DeadlineFuture(other.work_) {}
  DeadlineFuture(DeadlineFuture&& other) noexcept { take(other); }
  DeadlineFuture& operator=(const DeadlineFuture& other) {
    if (this != &other) *this = DeadlineFuture(other);
    return *this;
  }
  DeadlineFuture& operator=(DeadlineFuture&& other) noexcept {
    if (this == &other) return *this;
    const DeadlineFuture old(std::move(*this));
    take(other);
    return *this;
  }
  ~DeadlineFuture() {
    if (!work_) return;
    bool last = false;
    {
      const std::lock_guard lock(work_->mutex);
      link_.leave();
      last = work_->handles.alone();
    }
    if (last) work_->end();
  }

  Result<T> await(const Context& ctx) {
    const auto work = work_;
    return work->await(ctx);
  }
  std::optional<Clock::time_point> deadline() const { return work_->source.context().deadline(); }
  void cancel() {
    const auto work = work_;
    work->end();
  }

 private:
  using Work = detail::RingedWork<T>;
  template <class U>
  friend DeadlineFuture<U> go_with_deadline(Fn<Result<U>(const Context&)> fn);

  explicit DeadlineFuture(std::shared_ptr<Work> work) : work_(std::move(work)) {
    if (!work_) return;
    const std::lock_guard lock(work_->mutex);
    link_.enter_before(work_->handles);
  }

  // With no work of its own. Takes the other's place in the ring, so that the ring is not empty
  // in between.
  void take(DeadlineFuture& other) noexcept {
    if (!other.work_) return;
    work_ = std::move(other.work_);
    const std::lock_guard lock(work_->mutex);
    link_.enter_before(other.link_);
    other.link_.leave();
  }

  std::shared_ptr<Work> work_;
  detail::DeadlineLink link_;  // in the ring of handles; guarded by the work's mutex
};

template <class T>
DeadlineFuture<T> go_with_deadline(Fn<Result<T>(const Context&)> fn) {
  const auto work = std::make_shared<detail::RingedWork<T>>();
  DeadlineFuture<T> handle(work);
  spawn([work, fn = std::move(fn)]() mutable { work->work(std::move(fn)); });
  return handle;
}

}  // namespace futures
