// Right, and slow: std::shared_future carries the outcome and knows nothing of contexts, so that an
// awaiter looks at both in turn. The end of the last handle is a shared_ptr's deleter.
#pragma once

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>
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

template <class T>
class DeadlineFuture {
 public:
  Result<T> await(const Context& ctx) {
    using namespace std::chrono_literals;
    if (there()) return outcome_.get();
    if (const auto deadline = ctx.deadline()) producer_->tighten(*deadline);
    for (auto pause = 100us; !ctx.done();
         pause = std::min<std::chrono::microseconds>(2 * pause, 5ms)) {
      if (outcome_.wait_for(pause) == std::future_status::ready) return outcome_.get();
    }
    if (there()) return outcome_.get();
    return std::unexpected(*ctx.error());
  }

  std::optional<Clock::time_point> deadline() const { return producer_->context().deadline(); }

  void cancel() { producer_->cancel(); }

 private:
  friend DeadlineFuture go_with_deadline<T>(Fn<Result<T>(const Context&)>);
  DeadlineFuture(std::shared_ptr<CancelSource> producer, std::shared_future<Result<T>> outcome)
      : producer_(std::move(producer)), outcome_(std::move(outcome)) {}

  bool there() const {
    return outcome_.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }

  std::shared_ptr<CancelSource> producer_;
  std::shared_future<Result<T>> outcome_;
};

template <class T>
DeadlineFuture<T> go_with_deadline(Fn<Result<T>(const Context&)> fn) {
  // Two owners: the handles' deleter cancels, fn's thread keeps the source alive meanwhile.
  auto source = std::make_shared<CancelSource>(with_cancel(Context::background()));
  std::shared_ptr<CancelSource> handles(source.get(), [source](CancelSource* s) { s->cancel(); });
  std::promise<Result<T>> promise;
  auto outcome = promise.get_future().share();
  spawn([source, promise = std::move(promise), fn = std::move(fn)]() mutable {
    const auto call = [&]() -> Result<T> {
      try {
        return fn(source->context());
      } catch (...) {
        return std::unexpected(error_from_current_exception());
      }
    };
    auto result = call();
    fn = nullptr;
    promise.set_value(std::move(result));
    source->cancel();
  });
  return DeadlineFuture<T>(std::move(handles), std::move(outcome));
}

}  // namespace futures
