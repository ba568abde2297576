// Right, and odd: "settled" is a stop request, and an awaiter sleeps on a semaphore that two stop
// callbacks release, fn's end and its own context's. The handles share the CancelSource, fn's
// thread has only the context and a weak_ptr: so the source goes, and cancels, with the last
// handle.
#pragma once

#include <memory>
#include <optional>
#include <semaphore>
#include <stop_token>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

template <class T>
struct StoppedOutcome {
  std::stop_source settled;
  std::optional<Result<T>> outcome;  // written before settled is requested
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
    const auto settled = result_->settled.get_token();
    if (!settled.stop_requested()) {
      if (const auto deadline = ctx.deadline()) producer_->tighten(*deadline);
      std::counting_semaphore<2> woken(0);
      const auto wake = [&] { woken.release(); };
      const std::stop_callback on_settled(settled, wake);
      const std::stop_callback on_end(ctx.stop_token(), wake);
      woken.acquire();
    }
    if (settled.stop_requested()) return *result_->outcome;
    return std::unexpected(*ctx.error());
  }

  std::optional<Clock::time_point> deadline() const { return producer_->context().deadline(); }

  void cancel() { producer_->cancel(); }

 private:
  friend DeadlineFuture go_with_deadline<T>(Fn<Result<T>(const Context&)>);
  DeadlineFuture(std::shared_ptr<CancelSource> producer,
                 std::shared_ptr<detail::StoppedOutcome<T>> result)
      : producer_(std::move(producer)), result_(std::move(result)) {}

  std::shared_ptr<CancelSource> producer_;
  std::shared_ptr<detail::StoppedOutcome<T>> result_;
};

template <class T>
DeadlineFuture<T> go_with_deadline(Fn<Result<T>(const Context&)> fn) {
  auto producer = std::make_shared<CancelSource>(with_cancel(Context::background()));
  auto result = std::make_shared<detail::StoppedOutcome<T>>();
  spawn([weak = std::weak_ptr(producer), ctx = producer->context(), result,
         fn = std::move(fn)]() mutable {
    try {
      result->outcome.emplace(fn(ctx));
    } catch (...) {
      result->outcome.emplace(std::unexpected(error_from_current_exception()));
    }
    fn = nullptr;
    if (const auto source = weak.lock()) source->cancel();
    result->settled.request_stop();
  });
  return DeadlineFuture<T>(std::move(producer), std::move(result));
}

}  // namespace futures
