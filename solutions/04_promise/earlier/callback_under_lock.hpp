// Wrong: the stop callback takes the lock that its owner holds while removing it; bites when the
// context ends while an awaiter is leaving: both wait for ever.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
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
    if (result_) return *result_;
    if (context.done()) return std::unexpected(*context.error());
    lock.unlock();
    std::optional<std::stop_callback<Wake>> wake_me(std::in_place, context.stop_token(),
                                                    Wake{this});
    lock.lock();
    changed_.wait(lock, [&] { return result_ || context.done(); });
    wake_me.reset();  // nobody needs to wake us any more
    if (!result_) return std::unexpected(*context.error());
    return *result_;
  }

  bool settled() const {
    const std::lock_guard lock(mutex_);
    return result_.has_value();
  }

 private:
  struct Wake {
    const Promise* promise;
    void operator()() const {
      const std::lock_guard lock(promise->mutex_);  // or the wake-up could be lost
      promise->changed_.notify_all();
    }
  };

  bool settle(Result<T> result) {
    const std::lock_guard lock(mutex_);
    if (result_) return false;
    result_.emplace(std::move(result));
    changed_.notify_all();
    return true;
  }

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::optional<Result<T>> result_;
};

}  // namespace futures
