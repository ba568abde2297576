// Right, and odd: the future knows only callbacks. To await is to register one that sends the
// result down a channel; the result itself is behind a shared_mutex and a std::shared_ptr.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

template <class T>
struct Shared {
  using Callback = Fn<void(const Result<T>&)>;
  using Outcome = std::shared_ptr<const Result<T>>;

  explicit Shared(const Context& parent) : producer(with_cancel(parent)) {}

  Outcome peek() const {
    const std::shared_lock lock(mutex);
    return outcome;
  }

  bool settle(Result<T> result) {
    auto settled = std::make_shared<const Result<T>>(std::move(result));
    std::list<Callback> due;
    {
      const std::unique_lock lock(mutex);
      if (outcome) return false;
      outcome = settled;
      due.swap(callbacks);
    }
    for (; !due.empty(); due.pop_front()) call(due.front(), *settled);
    return true;
  }

  void listen(Callback callback) {
    Outcome settled;
    {
      const std::unique_lock lock(mutex);
      settled = outcome;
      if (!settled) callbacks.push_back(std::move(callback));
    }
    if (settled) call(callback, *settled);
  }

  static void call(Callback& callback, const Result<T>& result) {
    try {
      callback(result);
    } catch (...) {
    }
    callback = nullptr;
  }

  CancelSource producer;
  mutable std::shared_mutex mutex;
  std::list<Callback> callbacks;
  Outcome outcome;
};

template <class T>
class Future {
 public:
  explicit Future(std::shared_ptr<Shared<T>> shared) : shared_(std::move(shared)) {}
  Future() {
    static const auto nothing = [] {
      auto rejected = std::make_shared<Shared<T>>(Context::background());
      rejected->settle(std::unexpected(Error{Errc::invalid_argument, "an empty future"}));
      return rejected;
    }();
    shared_ = nothing;
  }
  // No moves: a copy is cheap, and the handle that was copied from stays what it was.
  Future(const Future&) = default;
  Future& operator=(const Future&) = default;

  Result<T> await(const Context& context) const {
    auto [sender, receiver] = make_channel<Result<T>>(1);
    on_settled([tx = sender](const Result<T>& result) mutable { tx.send(result); });
    if (auto received = receiver.receive(context)) return *std::move(received);
    // Not a second chance but the same one: it may have been settled and not sent yet.
    if (const auto outcome = shared_->peek()) return *outcome;
    return std::unexpected(*context.error());
  }

  bool settled() const { return shared_->peek() != nullptr; }

  void on_settled(Fn<void(const Result<T>&)> callback) const {
    const auto shared = shared_;
    shared->listen(std::move(callback));
  }

  void cancel() const {
    const auto shared = shared_;
    if (!shared->peek()) shared->producer.cancel();
  }

 private:
  std::shared_ptr<Shared<T>> shared_;
};

template <class T>
class Resolver {
 public:
  explicit Resolver(std::shared_ptr<Shared<T>> shared)
      : held_(shared.get(), BreakPromise{shared}) {}

  bool resolve(T value) { return keep()->settle(std::move(value)); }
  bool reject(Error error) { return keep()->settle(std::unexpected(std::move(error))); }
  Context context() const { return keep()->producer.context(); }

 private:
  // "Deleting" what the resolver holds is to settle it: then the moves that the compiler writes are
  // the right ones.
  struct BreakPromise {
    std::shared_ptr<Shared<T>> shared;
    void operator()(Shared<T>*) {
      const auto last_use = std::move(shared);
      last_use->settle(std::unexpected(Error{Errc::broken_promise, "no resolver any more"}));
    }
  };

  std::shared_ptr<Shared<T>> keep() const { return held_.get_deleter().shared; }

  std::unique_ptr<Shared<T>, BreakPromise> held_;
};

template <class T>
std::pair<Future<T>, Resolver<T>> make_future() {
  auto shared = std::make_shared<Shared<T>>(Context::background());
  return {Future<T>(shared), Resolver<T>(shared)};
}

template <class T>
Future<T> go(const Context& context, Fn<Result<T>(const Context&)> fn) {
  auto shared = std::make_shared<Shared<T>>(context);
  std::thread([shared, fn = std::move(fn)]() mutable {
    Result<T> result = std::unexpected(Error{});
    try {
      result = fn(shared->producer.context());
    } catch (...) {
      result = std::unexpected(error_from_current_exception());
    }
    fn = nullptr;
    shared->settle(std::move(result));
  }).detach();
  return Future<T>(std::move(shared));
}

}  // namespace futures
