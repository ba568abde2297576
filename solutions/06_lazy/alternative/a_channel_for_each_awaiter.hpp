// Right: every awaiter waits on a channel of its own and fn's thread sends each a copy. The thread
// is a std::jthread that the destructor cancels and joins, so nothing needs to be shared. fn runs
// under a child of the context that started it; a joiner whose attempt was cancelled takes over.
#pragma once

#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

namespace detail {

template <class T, bool keep_failures>
class ChannelLazy {
 public:
  explicit ChannelLazy(Fn<Result<T>(const Context&)> fn) : fn_(std::move(fn)) {}
  ChannelLazy(const ChannelLazy&) = delete;
  ChannelLazy& operator=(const ChannelLazy&) = delete;
  ~ChannelLazy() { source_.cancel(); }  // and then worker_ is joined

  Result<T> await(const Context& ctx) {
    while (true) {
      std::optional<Receiver<Result<T>>> receiver;
      bool started = false;
      {
        const std::lock_guard lock(mutex_);
        if (kept_) return *kept_;
        if (ctx.done()) return std::unexpected(*ctx.error());
        auto channel = make_channel<Result<T>>(1);
        receiver = channel.second;
        awaiters_.push_back(channel.first);
        started = !std::exchange(running_, true);
        if (started) start(ctx);
      }
      Result<Result<T>> answer = receiver->receive(ctx);
      if (!answer) return std::unexpected(answer.error());
      const bool cancelled = !answer->has_value() && answer->error().code == Errc::cancelled;
      if (keep_failures || started || !cancelled || ctx.done()) return *std::move(answer);
    }
  }

 private:
  void start(const Context& ctx) {
    // A Lazy has one attempt: it must not die of the impatience of the one who asked first.
    source_ = with_cancel(keep_failures ? Context::background() : ctx);
    // Joins the thread of the last attempt, which has given up the mutex for good.
    worker_ = std::jthread([this, context = source_.context()] { finish(run(context)); });
  }

  Result<T> run(const Context& context) {
    try {
      return fn_(context);
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  void finish(const Result<T>& outcome) {
    const std::lock_guard lock(mutex_);
    running_ = false;
    if (keep_failures || outcome) kept_.emplace(outcome);
    for (auto& awaiter : std::exchange(awaiters_, {})) awaiter.send(outcome);  // room for one each
  }

  Fn<Result<T>(const Context&)> fn_;
  std::mutex mutex_;
  std::optional<Result<T>> kept_;
  std::vector<Sender<Result<T>>> awaiters_;
  bool running_ = false;
  CancelSource source_ = with_cancel(Context::background());
  std::jthread worker_;
};

}  // namespace detail

template <class T>
class Lazy : public detail::ChannelLazy<T, true> {
 public:
  using detail::ChannelLazy<T, true>::ChannelLazy;
};

template <class T>
class RetryLazy : public detail::ChannelLazy<T, false> {
 public:
  using detail::ChannelLazy<T, false>::ChannelLazy;
};

}  // namespace futures
