// Right: the result is published through a std::atomic<std::shared_ptr>, and what waiters need lies
// in a core of its own that the settling thread keeps alive while it wakes them.
#pragma once

#include <atomic>
#include <condition_variable>
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
    const auto core = core_;
    if (auto result = core->result.load()) return *result;
    {
      std::unique_lock lock(core->mutex);
      const auto there = [&] { return core->result.load() != nullptr; };
      if (!core->changed.wait(lock, context.stop_token(), there)) {
        return std::unexpected(*context.error());
      }
    }
    return *core->result.load();
  }

  bool settled() const { return core_->result.load() != nullptr; }

 private:
  struct Core {
    std::atomic<std::shared_ptr<const Result<T>>> result;
    std::mutex mutex;
    std::condition_variable_any changed;
  };

  bool settle(Result<T> result) {
    const auto core = core_;
    std::shared_ptr<const Result<T>> none;
    auto mine = std::make_shared<const Result<T>>(std::move(result));
    if (!core->result.compare_exchange_strong(none, std::move(mine))) return false;
    // Whoever looked before and does not sleep yet holds the lock.
    const std::lock_guard lock(core->mutex);
    core->changed.notify_all();
    return true;
  }

  std::shared_ptr<Core> core_ = std::make_shared<Core>();
};

}  // namespace futures
