// Wrong: looks whether it is settled before it takes the lock; bites when two resolvers look at the
// same time: both win.
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
    std::unique_lock lock(mutex_);
    if (!changed_.wait(lock, context.stop_token(), [this] { return settled(); })) {
      return std::unexpected(*context.error());
    }
    return *result_;
  }

  bool settled() const { return settled_; }

 private:
  bool settle(Result<T> result) {
    if (settled()) return false;
    const std::lock_guard lock(mutex_);
    result_.emplace(std::move(result));
    settled_ = true;
    changed_.notify_all();
    return true;
  }

  mutable std::mutex mutex_;
  mutable std::condition_variable_any changed_;
  std::optional<Result<T>> result_;
  std::atomic<bool> settled_{false};
};

}  // namespace futures
