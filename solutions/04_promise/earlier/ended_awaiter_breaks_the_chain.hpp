// Wrong: awaiters wake each other in a chain, and one whose context has ended by the time it leaves
// thinks it was woken by that and does not pass the wake-up on; bites when the winner wakes A, A's
// context ends after A has stopped listening and before it looks, and B is waiting behind A: B
// sleeps for ever.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

// No thundering herd: whoever settles wakes one awaiter, who wakes the next, and so on.
template <class T>
class Promise {
 public:
  Promise() = default;
  Promise(const Promise&) = delete;
  Promise& operator=(const Promise&) = delete;

  bool resolve(T value) {
    const std::lock_guard lock(mutex_);
    if (result_) return false;
    result_.emplace(std::in_place, std::move(value));
    wake_.notify_one();
    return true;
  }

  bool reject(Error error) {
    const std::lock_guard lock(mutex_);
    if (result_) return false;
    result_.emplace(std::unexpect, std::move(error));
    wake_.notify_one();
    return true;
  }

  Result<T> await(const Context& context) const {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, context.stop_token(), [this] { return result_.has_value(); });
    if (!result_) return std::unexpected(*context.error());
    // The end of a context wakes everybody by itself.
    if (!context.done()) wake_.notify_one();
    return *result_;
  }

  bool settled() const {
    const std::lock_guard lock(mutex_);
    return result_.has_value();
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable_any wake_;
  std::optional<Result<T>> result_;  // guarded by mutex_; set once
};

}  // namespace futures
