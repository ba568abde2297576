// Wrong: a value that comes too late is destroyed with the lock held; bites when its destructor
// asks the promise anything.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
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

  bool resolve(T value) { return settle(Result<T>(std::move(value))); }
  bool reject(Error error) { return settle(std::unexpected(std::move(error))); }

  Result<T> await(const Context& context) const {
    std::unique_lock lock(mutex_);
    const bool there =
        settled_.wait(lock, context.stop_token(), [this] { return result_.has_value(); });
    if (!there) return std::unexpected(*context.error());
    return *result_;
  }

  bool settled() const {
    const std::lock_guard lock(mutex_);
    return result_.has_value();
  }

 private:
  bool settle(Result<T>&& outcome) {
    const std::lock_guard lock(mutex_);
    Result<T> mine(std::move(outcome));  // from here on the caller has nothing left to look at
    if (result_) return false;
    result_.emplace(std::move(mine));
    settled_.notify_all();  // under the lock: whoever wakes may destroy this promise
    return true;
  }

  mutable std::mutex mutex_;
  mutable std::condition_variable_any settled_;
  std::optional<Result<T>> result_;  // guarded by mutex_; set once
};

}  // namespace futures
