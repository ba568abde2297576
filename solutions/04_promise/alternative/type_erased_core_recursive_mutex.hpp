// Right: a core that does not know T, a recursive mutex, and the result behind a shared_ptr<const
// void>.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

namespace detail {

// A place for one pointer. Compiled once, whatever the promises are of.
class PromiseCore {
 public:
  PromiseCore() = default;
  PromiseCore(const PromiseCore&) = delete;
  PromiseCore& operator=(const PromiseCore&) = delete;

  bool settled() const {
    const std::lock_guard lock(mutex_);
    return outcome_ != nullptr;
  }

 protected:
  ~PromiseCore() = default;

  bool put(std::shared_ptr<const void> outcome) {
    const std::lock_guard lock(mutex_);
    if (settled()) return false;
    outcome_ = std::move(outcome);
    changed_.notify_all();
    return true;
  }

  // Null: the token was stopped first.
  std::shared_ptr<const void> get(std::stop_token token) const {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, std::move(token), [this] { return settled(); });
    return outcome_;
  }

 private:
  mutable std::recursive_mutex mutex_;  // never held twice while waiting: get() locks it once
  mutable std::condition_variable_any changed_;
  std::shared_ptr<const void> outcome_;  // guarded by mutex_
};

}  // namespace detail

template <class T>
class Promise : private detail::PromiseCore {
 public:
  Promise() = default;

  bool resolve(T value) {
    return put(std::make_shared<const Result<T>>(std::in_place, std::move(value)));
  }
  bool reject(Error error) {
    return put(std::make_shared<const Result<T>>(std::unexpect, std::move(error)));
  }

  Result<T> await(const Context& context) const {
    const auto outcome = get(context.stop_token());
    if (!outcome) return std::unexpected(*context.error());
    return *static_cast<const Result<T>*>(outcome.get());
  }

  using PromiseCore::settled;

  // More than was asked for: is there nobody who could say so yet?
  [[nodiscard]] explicit operator bool() const { return settled(); }
};

}  // namespace futures
