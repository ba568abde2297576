// Wrong: move assignment swaps, so the old work lives on in the handle that was moved from; bites
// when the last handle is assigned over and the other one stays in scope.
#pragma once

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
class DeadlineFuture;
template <class T>
DeadlineFuture<T> go_with_deadline(Fn<Result<T>(const Context&)> fn);

namespace detail {

template <class T>
struct DeadlineWork {
  CancelSource source = with_cancel(Context::background());
  std::mutex mutex;
  std::condition_variable_any changed;
  bool settled = false;              // guarded by mutex
  std::optional<Result<T>> outcome;  // the producer's until settled, constant from then on

  bool is_settled() {
    const std::lock_guard lock(mutex);
    return settled;
  }
};

}  // namespace detail

template <class T>
class DeadlineFuture {
 public:
  DeadlineFuture(const DeadlineFuture&) = default;
  DeadlineFuture(DeadlineFuture&&) noexcept = default;
  DeadlineFuture& operator=(const DeadlineFuture& other) { return *this = DeadlineFuture(other); }
  DeadlineFuture& operator=(DeadlineFuture&& other) noexcept {
    work_.swap(other.work_);  // right for self-assignment, too
    return *this;
  }
  ~DeadlineFuture() = default;

  Result<T> await(const Context& ctx) {
    auto& work = *work_;
    if (!work.is_settled()) {
      if (const auto deadline = ctx.deadline()) work.source.tighten(*deadline);
      std::unique_lock lock(work.mutex);
      if (!work.changed.wait(lock, ctx.stop_token(), [&work] { return work.settled; })) {
        return std::unexpected(*ctx.error());
      }
    }
    return *work.outcome;
  }

  std::optional<Clock::time_point> deadline() const { return work_->source.context().deadline(); }

  void cancel() { work_->source.cancel(); }

 private:
  friend DeadlineFuture go_with_deadline<T>(Fn<Result<T>(const Context&)> fn);

  // Counts the handles alone: the producer has its own pointer, and this one cancels at its end.
  explicit DeadlineFuture(std::shared_ptr<detail::DeadlineWork<T>> work)
      : work_(work.get(), [work](detail::DeadlineWork<T>* w) { w->source.cancel(); }) {}

  std::shared_ptr<detail::DeadlineWork<T>> work_;
};

template <class T>
DeadlineFuture<T> go_with_deadline(Fn<Result<T>(const Context&)> fn) {
  auto work = std::make_shared<detail::DeadlineWork<T>>();
  DeadlineFuture<T> future(work);
  spawn([work = std::move(work), fn = std::move(fn)]() mutable {
    try {
      work->outcome.emplace(fn(work->source.context()));
    } catch (...) {
      work->outcome.emplace(std::unexpect, error_from_current_exception());
    }
    {
      const std::lock_guard lock(work->mutex);
      work->settled = true;
      work->changed.notify_all();
    }
    work->source.cancel();  // nobody needs its timer any more
    fn = nullptr;
  });
  return future;
}

}  // namespace futures
