// Right: intrusive reference counts and a virtual run(); await waits on a context of its own that a
// stop callback ends with the caller's reason.
#pragma once

#include <atomic>
#include <expected>
#include <functional>
#include <stop_token>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// Something to do once, on whatever thread; counted by hand.
class Work {
 public:
  Work() = default;
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;
  virtual ~Work() = default;
  virtual void run() = 0;

 private:
  friend class WorkRef;
  std::atomic<int> references_{0};
};

class WorkRef {
 public:
  explicit WorkRef(Work* work) : work_(work) { hold(); }
  WorkRef(const WorkRef& other) : work_(other.work_) { hold(); }
  WorkRef(WorkRef&& other) noexcept : work_(std::exchange(other.work_, nullptr)) {}
  WorkRef& operator=(WorkRef other) noexcept {
    std::swap(work_, other.work_);
    return *this;
  }
  ~WorkRef() {
    if (work_ != nullptr && work_->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      delete work_;
    }
  }
  Work* operator->() const { return work_; }

 private:
  void hold() {
    if (work_ != nullptr) work_->references_.fetch_add(1, std::memory_order_relaxed);
  }

  Work* work_;
};

template <class T>
class Production final : public Work {
 public:
  Production(Context context, Fn<Result<T>(const Context&)> function, Sender<Result<T>> sender)
      : context_(std::move(context)), function_(std::move(function)), sender_(std::move(sender)) {}

  void run() override {
    try {
      sender_.send(call());
    } catch (...) {
      sender_.send(std::unexpected(error_from_current_exception()));
    }
    sender_.close();
  }

 private:
  // What fn holds on to goes with the end of the call, not with the last reference to this.
  Result<T> call() {
    Fn<Result<T>(const Context&)> function = std::exchange(function_, nullptr);
    return function(context_);
  }

  Context context_;
  Fn<Result<T>(const Context&)> function_;
  Sender<Result<T>> sender_;
};

}  // namespace detail

template <class T>
Receiver<Result<T>> async_with_context(Context ctx, Fn<Result<T>(const Context&)> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  const detail::WorkRef work(
      new detail::Production<T>(std::move(ctx), std::move(fn), std::move(sender)));
  spawn([work] { work->run(); });
  return receiver;
}

template <class T>
Result<T> await(const Context& ctx, Receiver<Result<T>>& future) {
  CancelSource patience = with_cancel(Context::background());
  // Destroyed before `patience`, and its destructor waits for a call that is going on.
  const std::stop_callback follow(ctx.stop_token(), [&] { patience.cancel(*ctx.error()); });
  Result<Result<T>> message = future.receive(patience.context());
  if (message.has_value()) return std::move(message.value());
  return std::unexpected(message.error());
}

}  // namespace futures
