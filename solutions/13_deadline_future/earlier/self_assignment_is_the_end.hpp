// Wrong: handles are counted by hand and copy assignment lets go before it takes; bites when the
// only handle is assigned to itself: fn is cancelled.
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

template <class T>
class DeadlineFuture {
  struct Work {
    CancelSource source = with_cancel(Context::background());
    std::atomic<long> handles{0};
    std::mutex mutex;
    std::condition_variable_any changed;
    std::optional<Result<T>> outcome;

    void retain() { handles.fetch_add(1, std::memory_order_relaxed); }
    void release() {
      if (handles.fetch_sub(1, std::memory_order_acq_rel) == 1) source.cancel();
    }
    void tighten(const Context& ctx) {
      if (const auto deadline = ctx.deadline()) source.tighten(*deadline);
    }
  };

 public:
  DeadlineFuture(const DeadlineFuture& other) : work_(other.work_) {
    if (work_) work_->retain();
  }
  DeadlineFuture(DeadlineFuture&& other) noexcept : work_(std::move(other.work_)) {}
  DeadlineFuture& operator=(const DeadlineFuture& other) {
    if (work_) work_->release();
    work_ = other.work_;
    if (work_) work_->retain();
    return *this;
  }
  DeadlineFuture& operator=(DeadlineFuture&& other) noexcept {
    if (this == &other) return *this;
    if (work_) work_->release();
    work_ = std::move(other.work_);
    return *this;
  }
  ~DeadlineFuture() {
    if (work_) work_->release();
  }

  Result<T> await(const Context& ctx) {
    const DeadlineFuture keep = *this;
    Work& work = *keep.work_;
    work.tighten(ctx);
    {
      std::unique_lock lock(work.mutex);
      if (work.changed.wait(lock, ctx.stop_token(), [&] { return work.outcome.has_value(); })) {
        lock.unlock();
        return *work.outcome;
      }
    }
    work.tighten(ctx);
    return std::unexpected(*ctx.error());
  }

  std::optional<Clock::time_point> deadline() const { return work_->source.context().deadline(); }

  void cancel() {
    const DeadlineFuture keep = *this;
    keep.work_->source.cancel();
  }

  static DeadlineFuture start(Fn<Result<T>(const Context&)> fn) {
    DeadlineFuture future(std::make_shared<Work>());
    spawn([work = future.work_, fn = std::move(fn)]() mutable {
      std::optional<Result<T>> result;
      try {
        result.emplace(fn(work->source.context()));
      } catch (...) {
        result.emplace(std::unexpected(error_from_current_exception()));
      }
      fn = nullptr;
      work->source.cancel();
      const std::lock_guard lock(work->mutex);
      work->outcome.emplace(*std::move(result));
      work->changed.notify_all();
    });
    return future;
  }

 private:
  explicit DeadlineFuture(std::shared_ptr<Work> work) : work_(std::move(work)) { work_->retain(); }

  std::shared_ptr<Work> work_;
};

template <class T>
DeadlineFuture<T> go_with_deadline(Fn<Result<T>(const Context&)> fn) {
  return DeadlineFuture<T>::start(std::move(fn));
}

}  // namespace futures
