// Wrong: a registration that meets a settling half-way takes the whole list, callbacks of others
// included; bites when it comes between the publication of the result and the settler's exchange of
// the list: older callbacks run on the registering thread, and resolve() returns before they have
// run.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <stop_token>
#include <thread>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

template <class T>
class Future;
template <class T>
class Resolver;
template <class T>
std::pair<Future<T>, Resolver<T>> make_future();
template <class T>
Future<T> go(const Context& context, Fn<Result<T>(const Context&)> fn);

namespace detail {

template <class T>
using Callback = Fn<void(const Result<T>&)>;

// Runs a callback, whatever it throws, and puts it away.
template <class T>
void run_callback(Callback<T>& callback, const Result<T>& result) {
  try {
    if (callback) callback(result);
  } catch (...) {
    // the end of this callback, and of nothing else
  }
  callback = nullptr;
}

inline Error nothing_there() { return Error{Errc::invalid_argument, "the future is empty"}; }

// The result and the callbacks are two words, both without a lock. Whoever finds the result there
// after having added a callback takes what is in the list: either side comes second.
template <class T>
class State {
 public:
  explicit State(const Context& parent) : source_(with_cancel(parent)) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    for (auto* node = head_.load(); node;) delete std::exchange(node, node->next);
    delete result_.load();
  }

  template <class Which, class U>
  bool settle(Which which, U&& payload) {
    auto fresh = std::make_unique<const Result<T>>(which, std::forward<U>(payload));
    const Result<T>* none = nullptr;
    if (!result_.compare_exchange_strong(none, fresh.get())) return false;
    const auto& told = *fresh.release();
    {
      const std::lock_guard lock(mutex_);  // who is about to fall asleep sleeps, or has seen it
      wake_.notify_all();
    }
    run_all(told);
    return true;
  }

  bool settled() const { return result_.load() != nullptr; }

  void on_settled(Callback<T> callback) {
    if (const auto* told = result_.load()) {
      run_callback<T>(callback, *told);
      return;
    }
    auto* node = new Node{std::move(callback), head_.load()};
    while (!head_.compare_exchange_weak(node->next, node)) {
    }
    // Settled in between: who settles may have been at the list already.
    if (const auto* told = result_.load()) run_all(*told);
  }

  Result<T> await(const Context& context) const {
    {
      std::unique_lock lock(mutex_);
      if (!wake_.wait(lock, context.stop_token(), [this] { return settled(); })) {
        return std::unexpected(*context.error());
      }
    }
    return *result_.load();
  }

  void cancel() {
    if (!settled()) source_.cancel();
  }

  Context context() const { return source_.context(); }

 private:
  struct Node {
    Callback<T> callback;
    Node* next;
  };

  // Every node is in the hands of one thread: the one that took it out.
  void run_all(const Result<T>& told) {
    Node* in_order = nullptr;
    for (auto* node = head_.exchange(nullptr); node;) {
      auto* const next = std::exchange(node->next, in_order);
      in_order = std::exchange(node, next);
    }
    while (in_order) {
      const std::unique_ptr<Node> node(std::exchange(in_order, in_order->next));
      run_callback<T>(node->callback, told);
    }
  }

  CancelSource source_;
  std::atomic<const Result<T>*> result_{nullptr};
  std::atomic<Node*> head_{nullptr};
  mutable std::mutex mutex_;
  mutable std::condition_variable_any wake_;
};

}  // namespace detail

template <class T>
class Future {
 public:
  Future() = default;

  Result<T> await(const Context& context) const {
    const auto state = state_;
    if (!state) return std::unexpected(detail::nothing_there());
    return state->await(context);
  }

  bool settled() const {
    const auto state = state_;
    return !state || state->settled();
  }

  void on_settled(Fn<void(const Result<T>&)> callback) const {
    const auto state = state_;
    if (!state) {
      const Result<T> result(std::unexpect, detail::nothing_there());
      detail::run_callback<T>(callback, result);
      return;
    }
    state->on_settled(std::move(callback));
  }

  void cancel() const {
    const auto state = state_;
    if (state) state->cancel();
  }

 private:
  using State = detail::State<T>;
  friend std::pair<Future<T>, Resolver<T>> make_future<T>();
  friend Future<T> go<T>(const Context& context, Fn<Result<T>(const Context&)> fn);
  explicit Future(std::shared_ptr<State> state) : state_(std::move(state)) {}

  std::shared_ptr<State> state_;
};

template <class T>
class Resolver {
 public:
  Resolver(Resolver&&) noexcept = default;
  Resolver& operator=(Resolver&& other) noexcept {
    if (this != &other) {
      const Resolver old(std::move(*this));  // rejects at the end of this block
      state_ = std::move(other.state_);
    }
    return *this;
  }
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  ~Resolver() {
    if (state_) reject(Error{Errc::broken_promise, "the resolver went away without settling"});
  }

  bool resolve(T value) {
    const auto state = state_;
    return state && state->settle(std::in_place, std::move(value));
  }

  bool reject(Error error) {
    const auto state = state_;
    return state && state->settle(std::unexpect, std::move(error));
  }

  Context context() const { return state_ ? state_->context() : Context::background(); }

 private:
  using State = detail::State<T>;
  friend std::pair<Future<T>, Resolver<T>> make_future<T>();
  friend Future<T> go<T>(const Context& context, Fn<Result<T>(const Context&)> fn);
  explicit Resolver(std::shared_ptr<State> state) : state_(std::move(state)) {}

  std::shared_ptr<State> state_;
};

template <class T>
std::pair<Future<T>, Resolver<T>> make_future() {
  auto state = std::make_shared<detail::State<T>>(Context::background());
  return {Future<T>(state), Resolver<T>(state)};
}

template <class T>
Future<T> go(const Context& context, Fn<Result<T>(const Context&)> fn) {
  auto state = std::make_shared<detail::State<T>>(context);
  spawn([fn = std::move(fn), resolver = Resolver<T>(state)]() mutable {
    Result<T> result = [&]() -> Result<T> {
      try {
        return fn(resolver.context());
      } catch (...) {
        return std::unexpected(error_from_current_exception());
      }
    }();
    fn = nullptr;  // before anybody hears of the result
    if (result) {
      resolver.resolve(*std::move(result));
    } else {
      resolver.reject(std::move(result).error());
    }
  });
  return Future<T>(std::move(state));
}

}  // namespace futures
