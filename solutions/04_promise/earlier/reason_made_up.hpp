// Wrong: an awaiter that gives up says "cancelled" or "deadline exceeded" in words of its own;
// bites when the context was ended with another reason: that is lost.
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

  bool resolve(T value) { return settle(Result<T>(std::in_place, std::move(value))); }
  bool reject(Error error) { return settle(Result<T>(std::unexpect, std::move(error))); }

  Result<T> await(const Context& context) const {
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, context.stop_token(), [this] { return result_.has_value(); })) {
        if (context.error()->code == Errc::deadline_exceeded) {
          return std::unexpected(
              Error{Errc::deadline_exceeded, "the deadline of the context passed"});
        }
        return std::unexpected(Error{Errc::cancelled, "the context was cancelled"});
      }
    }
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
    changed_.notify_all();  // under the lock: an awaiter may destroy the promise
    return true;
  }

  mutable std::mutex mutex_;
  mutable std::condition_variable_any changed_;
  std::optional<Result<T>> result_;  // guarded by mutex_ until set
};

}  // namespace futures
