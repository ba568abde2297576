// Right: no mutex and no condition variable. Awaiters sleep on an atomic counter that is rung by
// the end of fn and, through a stop callback, by the end of their own context; a spin lock guards
// the pointer to the current attempt. fn runs under the background context.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

struct SpinLock {
  std::atomic_flag taken;
  void lock() {
    while (taken.test_and_set(std::memory_order_acquire)) std::this_thread::yield();
  }
  void unlock() { taken.clear(std::memory_order_release); }
};

template <class T>
struct LazyAttempt {
  std::atomic<unsigned> bell{0};
  std::atomic<bool> finished{false};
  std::optional<Result<T>> outcome;  // written before finished

  void ring() {
    bell.fetch_add(1);
    bell.notify_all();
  }

  void run(Fn<Result<T>(const Context&)>& fn) {
    try {
      outcome.emplace(fn(Context::background()));
    } catch (...) {
      outcome.emplace(std::unexpected(error_from_current_exception()));
    }
  }

  Result<T> await(const Context& ctx) {
    const std::stop_callback wake(ctx.stop_token(), [this] { ring(); });
    while (true) {
      const unsigned heard = bell.load();
      if (finished.load()) return *outcome;
      if (ctx.done()) return std::unexpected(*ctx.error());
      bell.wait(heard);
    }
  }
};

template <class T, bool keep_failures>
class LazyCore {
 public:
  explicit LazyCore(Fn<Result<T>(const Context&)> fn) : state_(std::make_shared<State>()) {
    state_->fn = std::move(fn);
  }

  Result<T> await(const Context& ctx) {
    std::shared_ptr<LazyAttempt<T>> attempt;
    state_->spin.lock();
    attempt = state_->current;
    const bool mine = !attempt;
    if (mine) attempt = state_->current = std::make_shared<LazyAttempt<T>>();
    state_->spin.unlock();
    if (mine) start(attempt);
    return attempt->await(ctx);
  }

 private:
  struct State {
    Fn<Result<T>(const Context&)> fn;
    SpinLock spin;
    std::shared_ptr<LazyAttempt<T>> current;
  };

  void start(const std::shared_ptr<LazyAttempt<T>>& attempt) {
    spawn([state = state_, attempt] {
      attempt->run(state->fn);
      if (!keep_failures && !attempt->outcome->has_value()) {
        // Room for the next attempt first: whoever sees this one fail may come at once.
        state->spin.lock();
        state->current = nullptr;
        state->spin.unlock();
      }
      attempt->finished.store(true);
      attempt->ring();
    });
  }

  std::shared_ptr<State> state_;
};

}  // namespace detail

template <class T>
class Lazy : public detail::LazyCore<T, true> {
 public:
  using detail::LazyCore<T, true>::LazyCore;
};

template <class T>
class RetryLazy : public detail::LazyCore<T, false> {
 public:
  using detail::LazyCore<T, false>::LazyCore;
};

}  // namespace futures
