// Wrong: the stop callback notifies without the lock; bites when the context ends between an
// awaiter's look and its sleep: the wake-up is lost.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

template <class T>
class Promise {
 public:
  Promise() = default;
  Promise(const Promise&) = delete;
  Promise& operator=(const Promise&) = delete;

  bool resolve(T value) { return settle(Result<T>(std::in_place, std::move(value))); }
  bool reject(Error error) { return settle(Result<T>(std::unexpect, std::move(error))); }

  Result<T> await(const Context& context) const {
    // A plain condition_variable is cheaper than a condition_variable_any.
    const std::stop_callback wake_me(context.stop_token(), [this] { changed_.notify_all(); });
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return result_ || context.done(); });
    if (!result_) return std::unexpected(*context.error());
    return *result_;
  }

  bool settled() const {
    const std::lock_guard lock(mutex_);
    return result_.has_value();
  }

 private:
  bool settle(Result<T> result) {
    const std::lock_guard lock(mutex_);
    if (result_) return false;
    result_.emplace(std::move(result));
    changed_.notify_all();
    return true;
  }

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::optional<Result<T>> result_;
};

}  // namespace futures
