// Right: no shared_ptr: both handles derive in private from one that counts by hand; a plain
// condition variable, woken by a stop callback that takes the lock. A result that will be there
// later; reading and writing in different hands.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdio>
#include <deque>
#include <memory>
#include <mutex>
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

namespace detail {

template <class T>
class Cell {
 public:
  using Callback = Fn<void(const Result<T>&)>;

  explicit Cell(const Context& parent) : source_(with_cancel(parent)) {}
  Cell(const Cell&) = delete;
  Cell& operator=(const Cell&) = delete;

  void keep() noexcept { count_.fetch_add(1, std::memory_order_relaxed); }
  void drop() noexcept {
    if (count_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  bool put(Result<T> outcome) {
    auto ready = std::make_unique<const Result<T>>(std::move(outcome));
    std::deque<Callback> callbacks;
    {
      const std::lock_guard lock(mutex_);
      if (outcome_) return false;
      outcome_ = std::move(ready);
      callbacks.swap(callbacks_);
      changed_.notify_all();
    }
    for (; !callbacks.empty(); callbacks.pop_front()) call(std::move(callbacks.front()));
    return true;
  }

  Result<T> await(const Context& context) {
    {
      // Declared before the lock, so that it goes away after it: its end waits for a callback that
      // is running, and that one wants the lock.
      const std::stop_callback wake(context.stop_token(), [this] {
        const std::lock_guard lock(mutex_);
        changed_.notify_all();
      });
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return outcome_ != nullptr || context.done(); });
      if (!outcome_) return std::unexpected(*context.error());
    }
    return *outcome_;
  }

  bool settled() const {
    const std::lock_guard lock(mutex_);
    return outcome_ != nullptr;
  }

  void add(Callback callback) {
    if (runs_now(callback)) call(std::move(callback));
  }

  void cancel() {
    if (!settled()) source_.cancel();
  }

  const Context& context() const { return source_.context(); }

 private:
  ~Cell() = default;

  // False: it is kept until there is an outcome.
  bool runs_now(Callback& callback) {
    const std::lock_guard lock(mutex_);
    if (outcome_) return true;
    callbacks_.push_back(std::move(callback));
    return false;
  }

  void call(Callback callback) const {
    try {
      callback(*outcome_);
    } catch (...) {
      std::fprintf(stderr, "an exception escaped from an on_settled callback: %s\n",
                   error_from_current_exception().message.c_str());
    }
  }

  std::atomic<std::size_t> count_{1};
  CancelSource source_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Callback> callbacks_;            // guarded by mutex_
  std::unique_ptr<const Result<T>> outcome_;  // written once under mutex_; constant after
};

// A counted reference to a cell, or to nothing.
template <class T>
class Handle {
 public:
  Handle() = default;
  explicit Handle(Cell<T>* adopted) noexcept : cell_(adopted) {}
  Handle(const Handle& other) noexcept : cell_(other.cell_) {
    if (cell_) cell_->keep();
  }
  Handle(Handle&& other) noexcept : cell_(std::exchange(other.cell_, nullptr)) {}
  Handle& operator=(Handle other) noexcept {
    std::swap(cell_, other.cell_);
    return *this;
  }
  ~Handle() {
    if (cell_) cell_->drop();
  }

  // For the length of a call, whatever becomes of the handle meanwhile.
  class Pin {
   public:
    explicit Pin(const Handle& handle) noexcept : cell_(handle.cell_) {
      if (cell_) cell_->keep();
    }
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;
    ~Pin() {
      if (cell_) cell_->drop();
    }
    explicit operator bool() const { return cell_ != nullptr; }
    Cell<T>* operator->() const { return cell_; }

   private:
    Cell<T>* cell_;
  };

  Pin pin() const { return Pin(*this); }

 private:
  Cell<T>* cell_ = nullptr;
};

template <class T>
std::pair<Future<T>, Resolver<T>> make_future_under(const Context& parent);

}  // namespace detail

template <class T>
class Future : private detail::Handle<T> {
 public:
  Future() = default;

  Result<T> await(const Context& context) const {
    const auto cell = this->pin();
    return cell ? cell->await(context) : nothing();
  }

  bool settled() const {
    const auto cell = this->pin();
    return !cell || cell->settled();
  }

  void on_settled(Fn<void(const Result<T>&)> callback) const {
    if (const auto cell = this->pin()) {
      cell->add(std::move(callback));
    } else {
      callback(nothing());
    }
  }

  void cancel() const {
    if (const auto cell = this->pin()) cell->cancel();
  }

 private:
  friend std::pair<Future<T>, Resolver<T>> detail::make_future_under<T>(const Context&);
  explicit Future(detail::Cell<T>* adopted) : detail::Handle<T>(adopted) {}

  static Result<T> nothing() {
    return std::unexpected(Error{Errc::invalid_argument, "the handle refers to no future"});
  }
};

template <class T>
class Resolver : private detail::Handle<T> {
  using Base = detail::Handle<T>;

 public:
  Resolver(Resolver&&) noexcept = default;
  Resolver& operator=(Resolver&& other) noexcept {
    Resolver old(std::move(*this));
    Base::operator=(std::move(static_cast<Base&>(&other == this ? old : other)));
    return *this;
  }
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  ~Resolver() {
    const auto cell = this->pin();
    if (cell && !cell->settled()) {
      cell->put(std::unexpected(
          Error{Errc::broken_promise, "the resolver went away without settling its future"}));
    }
  }

  bool resolve(T value) {
    const auto cell = this->pin();
    return cell && cell->put(Result<T>(std::in_place, std::move(value)));
  }

  bool reject(Error error) {
    const auto cell = this->pin();
    return cell && cell->put(Result<T>(std::unexpect, std::move(error)));
  }

  Context context() const {
    const auto cell = this->pin();
    return cell ? cell->context() : Context::background();
  }

 private:
  friend std::pair<Future<T>, Resolver<T>> detail::make_future_under<T>(const Context&);
  explicit Resolver(detail::Cell<T>* adopted) : Base(adopted) {}
};

template <class T>
std::pair<Future<T>, Resolver<T>> detail::make_future_under(const Context& parent) {
  auto* cell = new Cell<T>(parent);
  cell->keep();
  return {Future<T>(cell), Resolver<T>(cell)};
}

template <class T>
std::pair<Future<T>, Resolver<T>> make_future() {
  return detail::make_future_under<T>(Context::background());
}

namespace detail {

template <class T>
class Production {
 public:
  Production(Fn<Result<T>(const Context&)> fn, Resolver<T> resolver)
      : fn_(std::move(fn)), resolver_(std::move(resolver)) {}

  void operator()() {
    Result<T> outcome = compute();
    if (outcome) {
      resolver_.resolve(*std::move(outcome));
    } else {
      resolver_.reject(std::move(outcome).error());
    }
  }

 private:
  Result<T> compute() {
    try {
      return std::exchange(fn_, nullptr)(resolver_.context());
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  Fn<Result<T>(const Context&)> fn_;
  Resolver<T> resolver_;
};

}  // namespace detail

template <class T>
Future<T> go(const Context& context, Fn<Result<T>(const Context&)> fn) {
  auto [future, resolver] = detail::make_future_under<T>(context);
  spawn(detail::Production<T>(std::move(fn), std::move(resolver)));
  return future;
}

}  // namespace futures
