// What patient waiting tells the watchdog, and the other way round. For eventually() and Gate.
#pragma once

#include <atomic>
#include <unistd.h>

#include "flavour.hpp"

namespace workbook {

namespace detail {

// The threads inside eventually() or Gate::wait_for(), by their system ids; 0 is a free place. The
// watchdog looks here: polling is patience, not a hang, and when nothing but the pollers has moved
// for seconds there is nothing left to wait for.
inline std::atomic<int> pollers[16];
inline std::atomic<unsigned> standstills{0};

class Polling {
 public:
  Polling() {
    if constexpr (flavour() == Flavour::explored) return;  // has no watchdog
    const int self = ::gettid();
    for (auto& place : pollers) {
      int free = 0;
      if (place.compare_exchange_strong(free, self, std::memory_order_relaxed)) {
        place_ = &place;
        return;
      }
    }
  }
  Polling(const Polling&) = delete;
  Polling& operator=(const Polling&) = delete;
  ~Polling() {
    if (place_ != nullptr) place_->store(0, std::memory_order_relaxed);
  }

  bool hopeless() const { return standstills.load(std::memory_order_relaxed) != before_; }

 private:
  std::atomic<int>* place_ = nullptr;  // none: one poller too many, whose polling counts as work
  unsigned before_ = standstills.load(std::memory_order_relaxed);
};

}  // namespace detail

}  // namespace workbook
