// Wrong: "there is an error" is told by the error not being equal to Error{}; bites when somebody
// rejects with exactly that (no code, no text): reject() returns true, but nobody ever sees a
// result, and a later resolve() wins.
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

template <class T>
class Promise {
 public:
  Promise() = default;
  Promise(const Promise&) = delete;
  Promise& operator=(const Promise&) = delete;

  bool resolve(T value) {
    const std::lock_guard lock(mutex_);
    if (there()) return false;
    value_.emplace(std::move(value));
    wake_.notify_all();  // under the lock: an awaiter may destroy this as soon as it gets it
    return true;
  }

  bool reject(Error error) {
    const std::lock_guard lock(mutex_);
    if (there()) return false;
    error_ = std::move(error);
    wake_.notify_all();
    return true;
  }

  Result<T> await(const Context& context) const {
    std::unique_lock lock(mutex_);
    if (!wake_.wait(lock, context.stop_token(), [this] { return there(); })) {
      return std::unexpected(*context.error());
    }
    if (value_) return Result<T>(std::in_place, *value_);
    return std::unexpected(error_);
  }

  bool settled() const {
    const std::lock_guard lock(mutex_);
    return there();
  }

 private:
  bool there() const { return value_.has_value() || error_ != Error{}; }

  mutable std::mutex mutex_;
  mutable std::condition_variable_any wake_;
  std::optional<T> value_;  // guarded by mutex_, as error_: at most one of them is set, once
  Error error_;
};

}  // namespace futures
