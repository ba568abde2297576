// Wrong: an awaiter looks without the lock whether the list is empty; bites when another awaiter
// comes or goes at that moment.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <semaphore>
#include <stop_token>
#include <utility>
#include <variant>

#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

template <class T>
class Promise {
  struct Pending {};
  struct Failed {
    Error error;
  };

 public:
  Promise() = default;
  Promise(const Promise&) = delete;
  Promise& operator=(const Promise&) = delete;

  bool resolve(T value) {
    return settle([&] { state_.template emplace<1>(std::move(value)); });
  }
  bool reject(Error error) {
    return settle([&] { state_.template emplace<2>(std::move(error)); });
  }

  Result<T> await(const Context& context) const {
    auto mine = std::make_shared<std::counting_semaphore<>>(0);
    std::unique_lock lock(mutex_);
    if (state_.index() != 0) return outcome();
    const auto place = awaiters_.insert(awaiters_.end(), mine);
    lock.unlock();
    {
      const std::stop_callback wake_me(context.stop_token(), [mine] { mine->release(); });
      mine->acquire();
    }
    const bool taken = awaiters_.empty();  // who settles takes the list, and we are on it
    lock.lock();
    if (taken || state_.index() != 0) return outcome();
    awaiters_.erase(place);
    return std::unexpected(*context.error());
  }

  bool settled() const {
    const std::lock_guard lock(mutex_);
    return state_.index() != 0;
  }

 private:
  Result<T> outcome() const {  // with mutex_ held
    if (const auto* failed = std::get_if<2>(&state_)) return std::unexpected(failed->error);
    return Result<T>(std::in_place, std::get<1>(state_));
  }

  template <class Write>
  bool settle(Write write) {
    std::list<std::shared_ptr<std::counting_semaphore<>>> woken;
    {
      const std::lock_guard lock(mutex_);
      if (state_.index() != 0) return false;
      write();
      woken.swap(awaiters_);
    }
    // Without the lock, and that is fine: the list and its semaphores belong to this call now.
    for (const auto& awaiter : woken) awaiter->release();
    return true;
  }

  mutable std::mutex mutex_;
  std::variant<Pending, T, Failed> state_;
  mutable std::list<std::shared_ptr<std::counting_semaphore<>>> awaiters_;
};

}  // namespace futures
