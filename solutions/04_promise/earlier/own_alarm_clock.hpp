// Wrong: waits until the context's deadline by itself and then asks the context why it ended, which
// it has not yet; bites when the awaiter wakes up before the context's timer has fired: *nullopt.
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
    const auto there = [this] { return result_.has_value(); };
    std::unique_lock lock(mutex_);
    // With a deadline there is no need to wait for somebody else's timer thread to wake us up.
    const auto deadline = context.deadline();
    const bool settled = deadline
                             ? changed_.wait_until(lock, context.stop_token(), *deadline, there)
                             : changed_.wait(lock, context.stop_token(), there);
    if (!settled) return std::unexpected(*context.error());
    lock.unlock();
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
