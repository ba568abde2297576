// Right: who awaits drops a slip into a lock-free letterbox. The first slip hires a clerk, a thread
// that runs fn, answers every slip that lies there by then, and stays for another attempt if new
// slips have come meanwhile; with none it leaves. What the letterbox's pointer says (nobody here,
// clerk at work, done for good, or slips) is the whole state. Every awaiter waits at a small desk
// of its own. fn gets a context that ends when the object is destroyed, and not before.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace clerk_detail {

// Owned by a shared_ptr; the clerk holds another one while it is at work.
template <class T, bool kKeepsFailures>
class Office : public std::enable_shared_from_this<Office<T, kKeepsFailures>> {
 public:
  using Work = Fn<Result<T>(const Context&)>;
  using Answer = std::shared_ptr<const Result<T>>;

  Office(Work work, Context life) : work_(std::move(work)), life_(std::move(life)) {}

  Result<T> ask(const Context& ctx) {
    if (const Answer known = kept()) return *known;
    const auto desk = std::make_shared<Desk>();
    if (!post(desk)) return *kept();
    if (const Answer told = desk->wait(ctx)) return *told;
    // The answer may be known though nobody has come round with it yet.
    if (const Answer known = kept()) return *known;
    return std::unexpected(*ctx.error());
  }

 private:
  class Desk {
   public:
    // Null: the context has ended.
    Answer wait(const Context& ctx) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, ctx.stop_token(), [this] { return answer_ != nullptr; });
      return answer_;
    }

    void tell(const Answer& answer) {
      const std::lock_guard lock(mutex_);
      answer_ = answer;
      changed_.notify_all();
    }

   private:
    std::mutex mutex_;
    std::condition_variable_any changed_;
    Answer answer_;  // guarded by mutex_
  };

  struct Slip {
    std::shared_ptr<Desk> desk;
    Slip* next = nullptr;
  };

  Answer kept() const { return box_.load(std::memory_order_acquire) == &done_ ? answer_ : nullptr; }

  // False: too late, there is an answer for good.
  bool post(std::shared_ptr<Desk> desk) {
    auto slip = std::make_unique<Slip>(std::move(desk));
    Slip* seen = box_.load(std::memory_order_acquire);
    do {
      if (seen == &done_) return false;
      slip->next = seen == &busy_ ? nullptr : seen;
    } while (!box_.compare_exchange_weak(seen, slip.get(), std::memory_order_acq_rel,
                                         std::memory_order_acquire));
    static_cast<void>(slip.release());
    if (seen == nullptr) hire();
    return true;
  }

  void hire() {
    try {
      spawn([self = this->shared_from_this()] { self->clerk(); });
    } catch (...) {
      // No clerk, no attempt: the post is vacant again.
      answer_all(box_.exchange(nullptr, std::memory_order_acq_rel),
                 std::make_shared<const Result<T>>(
                     std::unexpect, Error{Errc::unavailable, "the system has no thread to give"}));
    }
  }

  void clerk() {
    for (;;) {
      const auto answer = std::make_shared<const Result<T>>(attempt());
      if (kKeepsFailures || answer->has_value()) {
        answer_ = answer;  // nobody reads it before the box says so
        answer_all(box_.exchange(&done_, std::memory_order_acq_rel), answer);
        Work used = std::exchange(work_, nullptr);  // its captures die here, and nobody waits
        return;
      }
      if (life_.done()) {
        // The object is gone, so is everybody who asked. Nobody comes any more.
        answer_all(box_.exchange(nullptr, std::memory_order_acq_rel), answer);
        return;
      }
      // This ends the attempt: who comes later asks for the next one.
      answer_all(box_.exchange(&busy_, std::memory_order_acq_rel), answer);
      Slip* expected = &busy_;
      if (box_.compare_exchange_strong(expected, nullptr, std::memory_order_acq_rel,
                                       std::memory_order_relaxed)) {
        return;  // from here on another clerk may be at work: nothing of ours is touched
      }
    }
  }

  Result<T> attempt() {
    try {
      return work_(life_);
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  void answer_all(Slip* first, const Answer& answer) const {
    while (first != nullptr && first != &busy_) {
      const std::unique_ptr<Slip> slip(first);
      first = slip->next;
      slip->desk->tell(answer);
    }
  }

  Slip busy_;                        // only its address matters, of this one
  Slip done_;                        // and of this one
  std::atomic<Slip*> box_{nullptr};  // null: no clerk
  Work work_;                        // the clerk's
  const Context life_;
  Answer answer_;  // constant once box_ == &done_
};

// What both have in common. Destroying it ends fn's context.
template <class T, bool kKeepsFailures>
class Counter {
 public:
  explicit Counter(Fn<Result<T>(const Context&)> fn)
      : office_(std::make_shared<Office<T, kKeepsFailures>>(std::move(fn), life_.context())) {}
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;

  Result<T> await(const Context& ctx) { return office_->ask(ctx); }

 private:
  CancelSource life_ = with_cancel(Context::background());
  std::shared_ptr<Office<T, kKeepsFailures>> office_;
};

}  // namespace clerk_detail

template <class T>
class Lazy : private clerk_detail::Counter<T, true> {
 public:
  explicit Lazy(Fn<Result<T>(const Context&)> fn) : clerk_detail::Counter<T, true>(std::move(fn)) {}
  using clerk_detail::Counter<T, true>::await;
};

template <class T>
class RetryLazy : private clerk_detail::Counter<T, false> {
 public:
  explicit RetryLazy(Fn<Result<T>(const Context&)> fn)
      : clerk_detail::Counter<T, false>(std::move(fn)) {}
  using clerk_detail::Counter<T, false>::await;
};

}  // namespace futures
