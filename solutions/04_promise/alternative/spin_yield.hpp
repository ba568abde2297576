// Right, if wasteful: awaiters look again and again. The last thing settling touches is the flag
// that lets them go.
#pragma once

#include <atomic>
#include <optional>
#include <thread>
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

  bool resolve(T value) { return claim() && publish(Result<T>(std::in_place, std::move(value))); }
  bool reject(Error error) {
    return claim() && publish(Result<T>(std::unexpect, std::move(error)));
  }

  Result<T> await(const Context& context) const {
    while (true) {
      const bool ended = context.done();
      if (settled()) return *result_;
      if (ended) return std::unexpected(*context.error());
      std::this_thread::yield();
    }
  }

  bool settled() const { return ready_.load(std::memory_order_acquire); }

 private:
  bool claim() { return !claimed_.test_and_set(std::memory_order_relaxed); }

  bool publish(Result<T> result) {
    result_.emplace(std::move(result));
    ready_.store(true, std::memory_order_release);
    return true;
  }

  std::atomic_flag claimed_;
  std::atomic<bool> ready_{false};
  std::optional<Result<T>> result_;
};

}  // namespace futures
