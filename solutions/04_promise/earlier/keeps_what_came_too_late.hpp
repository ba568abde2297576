// Wrong: every offer is kept in the order of arrival, and the first one is the result; bites when
// what came too late owns something (memory, a connection): it lives as long as the promise.
#pragma once

#include <condition_variable>
#include <list>
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

  bool resolve(T value) {
    // Made before the lock is taken; splicing costs nothing.
    std::list<Result<T>> offer;
    offer.emplace_back(std::move(value));
    return hand_in(offer);
  }

  bool reject(Error error) {
    std::list<Result<T>> offer;
    offer.emplace_back(std::unexpect, std::move(error));
    return hand_in(offer);
  }

  Result<T> await(const Context& context) const {
    std::unique_lock lock(mutex_);
    const auto settled = [this] { return !offers_.empty(); };
    if (!settled_.wait(lock, context.stop_token(), settled)) {
      return std::unexpected(*context.error());
    }
    return offers_.front();
  }

  bool settled() const {
    const std::lock_guard lock(mutex_);
    return !offers_.empty();
  }

 private:
  bool hand_in(std::list<Result<T>>& offer) {
    const std::lock_guard lock(mutex_);
    const bool first = offers_.empty();
    offers_.splice(offers_.end(), offer);
    if (first) settled_.notify_all();
    return first;
  }

  mutable std::mutex mutex_;
  mutable std::condition_variable_any settled_;
  std::list<Result<T>> offers_;  // guarded by mutex_; the first one counts
};

}  // namespace futures
