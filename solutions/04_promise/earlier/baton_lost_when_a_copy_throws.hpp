// Each awaiter wakes the next once it has its copy: where one throws, the others sleep on.
#pragma once

#include <condition_variable>
#include <expected>
#include <memory>
#include <mutex>
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
    if (!changed_.wait(lock, context.stop_token(), [this] { return result_ != nullptr; })) {
      return std::unexpected(*context.error());
    }
    lock.unlock();  // copying may take its time
    Result<T> mine = *result_;
    // A thousand awaiters that all wake at once would only fight for the lock: one wakes the next.
    lock.lock();
    changed_.notify_one();
    return mine;
  }

  bool settled() const {
    const std::lock_guard lock(mutex_);
    return result_ != nullptr;
  }

 private:
  bool settle(Result<T>&& result) {
    auto made = std::make_unique<const Result<T>>(std::move(result));
    const std::lock_guard lock(mutex_);
    if (result_) return false;
    result_ = std::move(made);
    changed_.notify_one();
    return true;
  }

  mutable std::mutex mutex_;
  mutable std::condition_variable_any changed_;
  std::unique_ptr<const Result<T>> result_;  // guarded by mutex_; constant once it is there
};

}  // namespace futures
