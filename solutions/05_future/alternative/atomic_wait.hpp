// Right, and odd: an abstract base with the reading end only, an atomic phase that awaiters sleep
// on with atomic::wait, and callbacks that are handed out one at a time.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

// What a Future may know of the shared state.
template <class T>
struct Readable {
  virtual ~Readable() = default;
  virtual const Result<T>* peek() const = 0;
  virtual void block(const Context& context) = 0;
  virtual void listen(Fn<void(const Result<T>&)> callback) = 0;
  virtual void stop() = 0;
};

template <class T>
class Cell final : public Readable<T> {
 public:
  explicit Cell(const Context& parent) : producer_(with_cancel(parent)) {}

  bool settle(Result<T> outcome) {
    {
      const std::lock_guard lock(mutex_);
      if (outcome_) return false;
      outcome_ = std::move(outcome);
      settled_.store(true);
    }
    turn_.fetch_add(1);
    turn_.notify_all();
    deliver();
    return true;
  }

  const Result<T>* peek() const override { return settled_.load() ? &*outcome_ : nullptr; }

  void block(const Context& context) override {
    const std::stop_callback wake(context.stop_token(), [this] {
      turn_.fetch_add(1);
      turn_.notify_all();
    });
    for (;;) {
      const unsigned turn = turn_.load();
      if (settled_.load() || context.done()) return;
      turn_.wait(turn);
    }
  }

  void listen(Fn<void(const Result<T>&)> callback) override {
    {
      const std::lock_guard lock(mutex_);
      if (!outcome_) {
        waiting_.push_back(std::move(callback));
        return;
      }
    }
    run(callback);
  }

  void stop() override {
    if (!settled_.load()) producer_.cancel();
  }

  Context context() const { return producer_.context(); }

 private:
  void deliver() {
    for (;;) {
      Fn<void(const Result<T>&)> next;
      {
        const std::lock_guard lock(mutex_);
        if (waiting_.empty()) return;
        next = std::move(waiting_.front());
        waiting_.pop_front();
      }
      run(next);
    }
  }

  void run(Fn<void(const Result<T>&)>& callback) {
    try {
      callback(*outcome_);
    } catch (...) {
    }
    callback = nullptr;
  }

  CancelSource producer_;
  std::mutex mutex_;
  // Both guarded by mutex_ until settled_; the outcome is constant after that.
  std::deque<Fn<void(const Result<T>&)>> waiting_;
  std::optional<Result<T>> outcome_;
  std::atomic<bool> settled_{false};
  std::atomic<unsigned> turn_{0};
};

template <class T>
class Future {
 public:
  Future() = default;
  explicit Future(std::shared_ptr<Readable<T>> cell) : cell_(std::move(cell)) {}

  Result<T> await(const Context& context) const {
    const auto cell = cell_;
    if (!cell) return std::unexpected(Error{Errc::invalid_argument, "an empty future"});
    cell->block(context);
    if (const auto* outcome = cell->peek()) return *outcome;
    return std::unexpected(*context.error());
  }
  bool settled() const { return !cell_ || cell_->peek() != nullptr; }
  void on_settled(Fn<void(const Result<T>&)> callback) const {
    const auto cell = cell_;
    if (!cell) return callback(std::unexpected(Error{Errc::invalid_argument, "an empty future"}));
    cell->listen(std::move(callback));
  }
  void cancel() const {
    if (const auto cell = cell_) cell->stop();
  }

 private:
  std::shared_ptr<Readable<T>> cell_;
};

template <class T>
class Resolver {
 public:
  explicit Resolver(std::shared_ptr<Cell<T>> cell) : cell_(std::move(cell)) {}
  Resolver(Resolver&&) noexcept = default;
  Resolver& operator=(Resolver&& other) noexcept {
    auto old = std::exchange(cell_, std::exchange(other.cell_, nullptr));
    if (old && old != cell_) abandon(*old);
    return *this;
  }
  ~Resolver() {
    if (const auto cell = std::move(cell_)) abandon(*cell);
  }

  bool resolve(T value) { return std::shared_ptr(cell_)->settle(std::move(value)); }
  bool reject(Error error) { return std::shared_ptr(cell_)->settle(std::unexpected(error)); }
  Context context() const { return cell_->context(); }

 private:
  static void abandon(Cell<T>& cell) {
    cell.settle(std::unexpected(Error{Errc::broken_promise, "abandoned"}));
  }

  std::shared_ptr<Cell<T>> cell_;
};

template <class T>
std::pair<Future<T>, Resolver<T>> make_future() {
  auto cell = std::make_shared<Cell<T>>(Context::background());
  return {Future<T>(cell), Resolver<T>(cell)};
}

template <class T>
Future<T> go(const Context& context, Fn<Result<T>(const Context&)> fn) {
  auto cell = std::make_shared<Cell<T>>(context);
  spawn([cell, fn = std::move(fn)]() mutable {
    const auto call = [&]() -> Result<T> {
      try {
        return fn(cell->context());
      } catch (...) {
        return std::unexpected(error_from_current_exception());
      }
    };
    cell->settle(call());
  });
  return Future<T>(std::move(cell));
}

}  // namespace futures
