// Right, and odd: no mutex anywhere. Callbacks are pushed on a lock-free list, which settling takes
// off and closes in one exchange; they run newest first. An awaiter is a callback that releases a
// semaphore.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <semaphore>
#include <stop_token>
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
class Core {
 public:
  explicit Core(const Context& parent) : producer(with_cancel(parent)) {}
  ~Core() { run_all(listeners_.load()); }

  bool settle(Result<T> outcome) {
    if (claimed_.exchange(true)) return false;
    outcome_.emplace(std::move(outcome));
    run_all(listeners_.exchange(&closed_));
    return true;
  }

  const Result<T>* outcome() const { return listeners_.load() == &closed_ ? &*outcome_ : nullptr; }

  void listen(Fn<void(const Result<T>&)> callback) {
    auto* node = new Node{std::move(callback), listeners_.load()};
    while (node->next != &closed_) {
      if (listeners_.compare_exchange_weak(node->next, node)) return;
    }
    run(std::unique_ptr<Node>(node));
  }

  CancelSource producer;

 private:
  struct Node {
    Fn<void(const Result<T>&)> callback;
    Node* next;
  };

  void run(std::unique_ptr<Node> node) {
    try {
      node->callback(*outcome_);
    } catch (...) {  // a callback's exception is nobody's business but its own
    }
  }

  void run_all(Node* node) {
    while (node != nullptr && node != &closed_) {
      Node* next = node->next;
      run(std::unique_ptr<Node>(node));
      node = next;
    }
  }

  std::atomic<bool> claimed_{false};
  std::atomic<Node*> listeners_{nullptr};
  Node closed_{nullptr, nullptr};     // the list's end once settled
  std::optional<Result<T>> outcome_;  // written by the claimer, read behind closed_
};

}  // namespace detail

template <class T>
class Future {
 public:
  Future() = default;

  Result<T> await(const Context& context) const {
    if (!core_) return invalid();
    const auto core = core_;
    if (core->outcome() == nullptr) {
      const auto wake = std::make_shared<std::counting_semaphore<>>(0);
      core->listen([wake](const Result<T>&) { wake->release(); });
      const std::stop_callback on_stop(context.stop_token(), [&] { wake->release(); });
      wake->acquire();
    }
    if (const auto* outcome = core->outcome()) return *outcome;
    return std::unexpected(*context.error());
  }

  bool settled() const { return !core_ || core_->outcome() != nullptr; }

  void on_settled(Fn<void(const Result<T>&)> callback) const {
    if (!core_) return callback(invalid());
    const auto core = core_;
    core->listen(std::move(callback));
  }

  void cancel() const {
    if (const auto core = core_; core && core->outcome() == nullptr) core->producer.cancel();
  }

 private:
  friend std::pair<Future<T>, Resolver<T>> make_future<T>();
  friend Future<T> go<T>(const Context& context, Fn<Result<T>(const Context&)> fn);
  explicit Future(std::shared_ptr<detail::Core<T>> core) : core_(std::move(core)) {}
  static Result<T> invalid() { return std::unexpected(Error{Errc::invalid_argument, "no future"}); }

  std::shared_ptr<detail::Core<T>> core_;
};

template <class T>
class Resolver {
 public:
  Resolver(Resolver&& other) noexcept : core_(std::move(other.core_)) {}
  Resolver& operator=(Resolver&& other) noexcept {
    if (this != &other) {
      reject(Error{Errc::broken_promise, "replaced by another resolver"});
      core_ = std::move(other.core_);
    }
    return *this;
  }
  ~Resolver() { reject(Error{Errc::broken_promise, "the resolver was destroyed"}); }

  bool resolve(T value) { return settle(Result<T>(std::move(value))); }
  bool reject(Error error) { return settle(std::unexpected(std::move(error))); }
  Context context() const { return core_->producer.context(); }

 private:
  friend std::pair<Future<T>, Resolver<T>> make_future<T>();
  friend Future<T> go<T>(const Context& context, Fn<Result<T>(const Context&)> fn);
  explicit Resolver(std::shared_ptr<detail::Core<T>> core) : core_(std::move(core)) {}

  bool settle(Result<T> outcome) {
    const auto core = core_;
    return core && core->settle(std::move(outcome));
  }

  std::shared_ptr<detail::Core<T>> core_;
};

template <class T>
std::pair<Future<T>, Resolver<T>> make_future() {
  auto core = std::make_shared<detail::Core<T>>(Context::background());
  return {Future<T>(core), Resolver<T>(core)};
}

template <class T>
Future<T> go(const Context& context, Fn<Result<T>(const Context&)> fn) {
  auto core = std::make_shared<detail::Core<T>>(context);
  spawn([fn = std::move(fn), writer = Resolver<T>(core)]() mutable {
    try {
      auto outcome = fn(writer.context());
      fn = nullptr;
      if (outcome) {
        writer.resolve(std::move(*outcome));
      } else {
        writer.reject(outcome.error());
      }
    } catch (...) {
      writer.reject(error_from_current_exception());
    }
  });
  return Future<T>(std::move(core));
}

}  // namespace futures
