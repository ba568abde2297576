// Wrong: whoever settles counts the sleepers first, because it may not touch the promise once the
// result is out, and wakes nobody when there were none; bites when an awaiter comes between the
// count and the exchange: it has seen no result, goes to sleep, and nobody wakes it though the
// promise is settled.
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

// Where awaiters sleep. Shared by all promises and never destroyed, so that it can be rung when the
// promise is gone.
struct Dormitory {
  std::mutex mutex;
  std::condition_variable_any changed;

  static Dormitory& of(const void* address) {
    static auto& rooms = *new std::array<Dormitory, 61>;
    return rooms[reinterpret_cast<std::uintptr_t>(address) / alignof(std::max_align_t) %
                 rooms.size()];
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

  bool resolve(T value) { return settle(std::in_place, std::move(value)); }
  bool reject(Error error) { return settle(std::unexpect, std::move(error)); }

  Result<T> await(const Context& context) const {
    const Result<T>* there = result_.load(std::memory_order_acquire);
    if (there == nullptr) {
      auto& room = detail::Dormitory::of(this);
      std::unique_lock lock(room.mutex);
      ++sleepers_;
      room.changed.wait(lock, context.stop_token(), [this, &there] {
        there = result_.load(std::memory_order_acquire);
        return there != nullptr;
      });
      --sleepers_;
    }
    if (there == nullptr) return std::unexpected(*context.error());
    return *there;
  }

  bool settled() const { return result_.load(std::memory_order_acquire) != nullptr; }

 private:
  template <class Tag, class Brought>
  bool settle(Tag tag, Brought&& brought) {
    auto& room = detail::Dormitory::of(this);
    // Now, since an awaiter may destroy the promise as soon as the result is out. Most promises are
    // settled before anybody asks: no lock and no wake-up for them.
    const bool anybody_asleep = sleepers_ > 0;

    auto mine = std::make_unique<const Result<T>>(tag, std::forward<Brought>(brought));
    const Result<T>* none = nullptr;
    if (!result_.compare_exchange_strong(none, mine.get())) return false;
    static_cast<void>(mine.release());
    if (anybody_asleep) {
      {
        const std::lock_guard lock(room.mutex);
      }
      room.changed.notify_all();
    }
    return true;
  }

  std::atomic<const Result<T>*> result_{nullptr};  // owned; set once
  mutable std::atomic<std::size_t> sleepers_{0};
};

}  // namespace futures
