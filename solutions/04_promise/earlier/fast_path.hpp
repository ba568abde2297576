// Wrong: await() has a fast path without the lock; bites when it sees the flag while settle() is
// not out yet: the promise is destroyed under it.
#pragma once

#include <atomic>
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

  bool resolve(T value) { return settle(Result<T>(std::in_place, std::move(value))); }
  bool reject(Error error) { return settle(Result<T>(std::unexpect, std::move(error))); }

  Result<T> await(const Context& context) const {
    if (!settled()) {
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, context.stop_token(), [this] { return settled(); })) {
        return std::unexpected(*context.error());
      }
    }
    return *result_;
  }

  bool settled() const { return settled_.load(std::memory_order_acquire); }

 private:
  bool settle(Result<T> result) {
    const std::lock_guard lock(mutex_);
    if (settled()) return false;
    result_.emplace(std::move(result));
    settled_.store(true, std::memory_order_release);
    changed_.notify_all();
    return true;
  }

  mutable std::mutex mutex_;
  mutable std::condition_variable_any changed_;
  std::optional<Result<T>> result_;
  std::atomic<bool> settled_{false};
};

}  // namespace futures
