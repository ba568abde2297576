// Wrong: keeps the errors of every reject that came too late; bites when many come: the memory
// grows until the promise goes.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

template <class T>
class Promise {
 public:
  Promise() = default;
  Promise(const Promise&) = delete;
  Promise& operator=(const Promise&) = delete;

  bool resolve(T value) {
    const std::lock_guard lock(mutex_);
    if (result_) return false;
    result_.emplace(std::move(value));
    settled_.notify_all();  // under the lock: whoever wakes may destroy this promise
    return true;
  }

  bool reject(Error error) {
    const std::lock_guard lock(mutex_);
    if (result_) {
      suppressed_.push_back(std::move(error));
      return false;
    }
    result_.emplace(std::unexpected(std::move(error)));
    settled_.notify_all();
    return true;
  }

  Result<T> await(const Context& context) const {
    std::unique_lock lock(mutex_);
    if (!settled_.wait(lock, context.stop_token(), [this] { return result_.has_value(); })) {
      return std::unexpected(*context.error());
    }
    return *result_;
  }

  bool settled() const {
    const std::lock_guard lock(mutex_);
    return result_.has_value();
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable_any settled_;
  std::optional<Result<T>> result_;  // guarded by mutex_, as all below; set once
  std::vector<Error> suppressed_;    // for the debugger: what else went wrong
};

}  // namespace futures
