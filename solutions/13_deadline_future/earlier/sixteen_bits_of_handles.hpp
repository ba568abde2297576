// Wrong: the handles are counted in sixteen bits; bites when there are more than 65536 copies at
// once and one of them goes: the count passes from one to zero, and fn is cancelled although tens
// of thousands of handles are left.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// What the producer, the handles and the awaiters share. Everybody who is inside holds it.
template <class T>
class DeadlineWork {
 public:
  DeadlineWork() : source_(with_cancel(Context::background())) {}

  // One count in two bytes: there is one such state for every work of the program.
  std::atomic<std::uint16_t> handles{0};

  Context context() const { return source_.context(); }

  Result<T> await(const Context& ctx) {
    if (const auto* outcome = peek()) return *outcome;
    if (const auto deadline = ctx.deadline()) tighten(*deadline);
    {
      std::unique_lock lock(mutex_);
      if (!settled_.wait(lock, ctx.stop_token(), [this] { return outcome_.has_value(); })) {
        return std::unexpected(*ctx.error());
      }
    }
    return *outcome_;
  }

  std::optional<Clock::time_point> deadline() const {
    auto earliest = source_.context().deadline();
    const std::lock_guard lock(mutex_);
    if (brought_ && (!earliest || *brought_ < *earliest)) earliest = brought_;
    return earliest;
  }

  // No lock: runs the stop callbacks.
  void end_context() { source_.cancel(); }

  // By the producer, once.
  void settle(Result<T> outcome) {
    {
      const std::lock_guard lock(mutex_);
      outcome_.emplace(std::move(outcome));
      settled_.notify_all();
    }
    source_.cancel();  // fn's context needs no timer any more
  }

 private:
  // The outcome, which never changes, or null.
  const Result<T>* peek() const {
    const std::lock_guard lock(mutex_);
    return outcome_ ? &*outcome_ : nullptr;
  }

  // No lock: a deadline that has passed runs the stop callbacks.
  void tighten(Clock::time_point deadline) {
    source_.tighten(deadline);
    const std::lock_guard lock(mutex_);
    if (!brought_ || deadline < *brought_) brought_ = deadline;
  }

  CancelSource source_;
  mutable std::mutex mutex_;
  std::condition_variable_any settled_;
  std::optional<Result<T>> outcome_;          // guarded by mutex_; set once
  std::optional<Clock::time_point> brought_;  // guarded by mutex_
};

// Every handle counts itself; the end of the last one ends fn's context.
template <class T>
struct DeadlineHandles {
  explicit DeadlineHandles(std::shared_ptr<DeadlineWork<T>> w) : work(std::move(w)) { take(); }
  DeadlineHandles(const DeadlineHandles& other) : work(other.work) { take(); }
  DeadlineHandles(DeadlineHandles&& other) noexcept : work(std::move(other.work)) {
    other.work = nullptr;
  }
  // Takes before it lets go, so that assigning a handle to itself is nothing.
  DeadlineHandles& operator=(const DeadlineHandles& other) {
    DeadlineHandles copy(other);
    std::swap(work, copy.work);
    return *this;
  }
  DeadlineHandles& operator=(DeadlineHandles&& other) noexcept {
    DeadlineHandles taken(std::move(other));
    std::swap(work, taken.work);
    return *this;
  }
  ~DeadlineHandles() {
    if (work && work->handles.fetch_sub(1, std::memory_order_acq_rel) == 1) work->end_context();
  }

  std::shared_ptr<DeadlineWork<T>> work;

 private:
  void take() {
    if (work) work->handles.fetch_add(1, std::memory_order_relaxed);
  }
};

}  // namespace detail

template <class T>
class DeadlineFuture;
template <class T>
DeadlineFuture<T> go_with_deadline(Fn<Result<T>(const Context&)> fn);

template <class T>
class DeadlineFuture {
 public:
  Result<T> await(const Context& ctx) {
    const auto work = handles_.work;
    return work->await(ctx);
  }

  std::optional<Clock::time_point> deadline() const { return handles_.work->deadline(); }

  void cancel() {
    const auto work = handles_.work;
    work->end_context();
  }

 private:
  friend DeadlineFuture go_with_deadline<T>(Fn<Result<T>(const Context&)> fn);
  explicit DeadlineFuture(detail::DeadlineHandles<T> handles) : handles_(std::move(handles)) {}

  detail::DeadlineHandles<T> handles_;
};

template <class T>
DeadlineFuture<T> go_with_deadline(Fn<Result<T>(const Context&)> fn) {
  auto work = std::make_shared<detail::DeadlineWork<T>>();
  DeadlineFuture<T> future{detail::DeadlineHandles<T>(work)};
  spawn([work, fn = std::move(fn)]() mutable {
    std::optional<Result<T>> outcome;
    {
      const Context context = work->context();
      try {
        outcome.emplace(fn(context));
      } catch (...) {
        outcome.emplace(std::unexpected(error_from_current_exception()));
      }
    }
    fn = nullptr;
    work->settle(std::move(*outcome));
  });
  return future;
}

}  // namespace futures
