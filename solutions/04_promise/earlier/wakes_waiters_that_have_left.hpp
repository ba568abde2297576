// Wrong: the winner wakes a detached list of waiters whose slots are on the awaiters' stacks; bites
// when one of them is cancelled (or finds the result by itself) and leaves while the winner is
// still walking.
#pragma once

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

// No condition variable for all: each awaiter brings a flag of its own to sleep on, so that nobody
// is woken who need not be.
template <class T>
class Promise {
 public:
  Promise() = default;
  Promise(const Promise&) = delete;
  Promise& operator=(const Promise&) = delete;

  bool resolve(T value) { return settle(Result<T>(std::in_place, std::move(value))); }
  bool reject(Error error) { return settle(Result<T>(std::unexpect, std::move(error))); }

  Result<T> await(const Context& context) const {
    Waiter self;
    {
      const std::lock_guard lock(mutex_);
      if (!result_)
        waiters_.push_back(&self);
      else
        self.woken = true;
    }
    const std::stop_callback on_stop(context.stop_token(), [&self] { self.wake(); });
    self.woken.wait(false);
    {
      const std::lock_guard lock(mutex_);
      if (!result_) {
        std::erase(waiters_, &self);
        return std::unexpected(*context.error());
      }
    }
    return *result_;
  }

  bool settled() const {
    const std::lock_guard lock(mutex_);
    return result_.has_value();
  }

 private:
  struct Waiter {
    std::atomic<bool> woken{false};
    void wake() {
      woken = true;
      woken.notify_one();
    }
  };

  bool settle(Result<T> result) {
    std::vector<Waiter*> waiters;
    {
      const std::lock_guard lock(mutex_);
      if (result_) return false;
      result_.emplace(std::move(result));
      waiters.swap(waiters_);
    }
    // From here on only the local list is used: the promise may be gone.
    for (Waiter* waiter : waiters) waiter->wake();
    return true;
  }

  mutable std::mutex mutex_;
  mutable std::vector<Waiter*> waiters_;  // guarded by mutex_
  std::optional<Result<T>> result_;       // guarded by mutex_ until set
};

}  // namespace futures
