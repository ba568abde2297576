// Wrong: the result is moved out for the awaiter that seems to be the last; bites when somebody
// awaits later: it gets what is left.
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
    std::unique_lock lock(mutex_);
    ++awaiters_;
    const bool there =
        changed_.wait(lock, context.stop_token(), [this] { return result_.has_value(); });
    --awaiters_;
    if (!there) return std::unexpected(*context.error());
    if (awaiters_ > 0) return *result_;
    return std::move(*result_);  // the last one out needs no copy
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
  mutable std::condition_variable_any changed_;
  mutable std::optional<Result<T>> result_;
  mutable int awaiters_ = 0;
};

}  // namespace futures
