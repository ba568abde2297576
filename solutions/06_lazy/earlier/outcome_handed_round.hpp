// Wrong: each awaiter takes the outcome out of a channel, copies it and puts it back; bites when
// one whose context has ended comes meanwhile: it gives up, and the outcome was there.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

template <class T>
Result<T> run_guarded(Fn<Result<T>(const Context&)>& fn, const Context& context) {
  try {
    return fn(context);
  } catch (...) {
    return Result<T>(std::unexpect, error_from_current_exception());
  }
}

template <class T, bool Keeps>
class Baton : public std::enable_shared_from_this<Baton<T, Keeps>> {
  using Ends = std::pair<Sender<Result<T>>, Receiver<Result<T>>>;

 public:
  explicit Baton(Fn<Result<T>(const Context&)> fn) : fn_(std::move(fn)) {}

  Result<T> await(const Context& ctx) {
    const auto ends = join();
    // A value that is in the channel beats the end of the context.
    auto taken = ends->second.receive(ctx);
    if (!taken) return std::unexpected(std::move(taken.error()));
    // For the next one, also when the copy throws.
    const auto give_back = [&](Result<T>* result) { ends->first.try_send(std::move(*result)); };
    const std::unique_ptr<Result<T>, decltype(give_back)> mine(&*taken, give_back);
    return *mine;
  }

 private:
  std::shared_ptr<Ends> join() {
    std::shared_ptr<Ends> ends;
    {
      const std::lock_guard lock(mutex_);
      if (current_) return current_;
      current_ = ends = std::make_shared<Ends>(make_channel<Result<T>>(1));
    }
    try {
      spawn([self = this->shared_from_this(), ends] {
        self->conclude(*ends, run_guarded(self->fn_, Context::background()));
      });
    } catch (...) {
      conclude(*ends, std::unexpected(error_from_current_exception()));
    }
    return ends;
  }

  void conclude(Ends& ends, Result<T> result) {
    if (!Keeps && !result) {
      const std::lock_guard lock(mutex_);
      current_ = nullptr;
    }
    ends.first.try_send(std::move(result));
  }

  Fn<Result<T>(const Context&)> fn_;
  std::mutex mutex_;
  std::shared_ptr<Ends> current_;  // guarded by mutex_
};

}  // namespace detail

template <class T>
class Lazy {
 public:
  explicit Lazy(Fn<Result<T>(const Context&)> fn)
      : core_(std::make_shared<detail::Baton<T, true>>(std::move(fn))) {}
  Lazy(const Lazy&) = delete;
  Lazy& operator=(const Lazy&) = delete;

  Result<T> await(const Context& ctx) { return core_->await(ctx); }

 private:
  const std::shared_ptr<detail::Baton<T, true>> core_;  // shared with the thread that runs fn
};

template <class T>
class RetryLazy {
 public:
  explicit RetryLazy(Fn<Result<T>(const Context&)> fn)
      : core_(std::make_shared<detail::Baton<T, false>>(std::move(fn))) {}
  RetryLazy(const RetryLazy&) = delete;
  RetryLazy& operator=(const RetryLazy&) = delete;

  Result<T> await(const Context& ctx) { return core_->await(ctx); }

 private:
  const std::shared_ptr<detail::Baton<T, false>> core_;
};

}  // namespace futures
