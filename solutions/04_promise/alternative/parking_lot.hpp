// Right: the promise is one atomic pointer. Awaiters sleep in a parking lot that all promises of
// the program share and that is never torn down: the exchange of the pointer is the last that
// settling touches of the promise, and whom it wakes besides its own awaiters looks at its own
// pointer and sleeps on. No code of a user's runs with a bay locked.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

namespace detail {

struct ParkingBay {
  std::mutex mutex;  // guards nothing; stands between an awaiter's last look and its sleep
  std::condition_variable_any changed;

  static ParkingBay& of(const void* address) {
    static auto& bays = *new std::array<ParkingBay, 61>;  // a prime: addresses have common factors
    return bays[reinterpret_cast<std::uintptr_t>(address) / alignof(std::max_align_t) %
                bays.size()];
  }
};

}  // namespace detail

template <class T>
class Promise {
 public:
  Promise() = default;
  Promise(const Promise&) = delete;
  Promise& operator=(const Promise&) = delete;
  ~Promise() { delete result_.load(std::memory_order_acquire); }

  bool resolve(T value) {
    return settle(std::make_unique<const Result<T>>(std::in_place, std::move(value)));
  }

  bool reject(Error error) {
    return settle(std::make_unique<const Result<T>>(std::unexpect, std::move(error)));
  }

  Result<T> await(const Context& context) const {
    const Result<T>* there = result_.load(std::memory_order_acquire);
    if (there == nullptr) {
      auto& bay = detail::ParkingBay::of(this);
      std::unique_lock lock(bay.mutex);
      bay.changed.wait(lock, context.stop_token(), [this, &there] {
        there = result_.load(std::memory_order_acquire);
        return there != nullptr;
      });
    }
    if (there == nullptr) return std::unexpected(*context.error());
    return *there;
  }

  bool settled() const { return result_.load(std::memory_order_acquire) != nullptr; }

 private:
  bool settle(std::unique_ptr<const Result<T>> mine) {
    auto& bay = detail::ParkingBay::of(this);
    const Result<T>* none = nullptr;
    if (!result_.compare_exchange_strong(none, mine.get(), std::memory_order_release,
                                         std::memory_order_acquire)) {
      return false;
    }
    // The promise may be gone from here on; the bay never is.
    static_cast<void>(mine.release());
    {
      const std::lock_guard lock(bay.mutex);
    }  // whoever looked too early is asleep by now
    bay.changed.notify_all();
    return true;
  }

  std::atomic<const Result<T>*> result_{nullptr};  // owned; set once
};

}  // namespace futures
