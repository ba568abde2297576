// Right: "settled" is a std::stop_source whose stop has been requested, and a callback is a
// std::stop_callback: whoever settles requests the stop and so runs what is registered; what comes
// later runs at once; the library sees to "exactly once". The winner is who puts its result into an
// atomic pointer. No mutex, no condition variable, no list of ours.
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

template <class T>
class Future;
template <class T>
class Resolver;

namespace stop_detail {

template <class T>
std::pair<Future<T>, Resolver<T>> make_under(const Context& parent);

// Whoever calls a member holds a shared_ptr of their own meanwhile.
template <class T>
class Core {
 public:
  using Callback = Fn<void(const Result<T>&)>;

  explicit Core(const Context& parent) : producer_(with_cancel(parent)) {}
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;
  ~Core() { delete outcome_.load(std::memory_order_acquire); }

  bool settle(std::unique_ptr<const Result<T>> outcome) {
    const Result<T>* nothing = nullptr;
    if (!outcome_.compare_exchange_strong(nothing, outcome.get(), std::memory_order_acq_rel,
                                          std::memory_order_acquire)) {
      // Who has lost may rely on the future being settled. The winner is a few instructions, none
      // of them foreign, away from saying so.
      while (!settled()) std::this_thread::yield();
      return false;
    }
    static_cast<void>(outcome.release());
    event_.request_stop();  // from here on it is settled; runs the callbacks
    ring();                 // when there was no callback to do it
    return true;
  }

  bool settled() const { return event_.stop_requested(); }

  Result<T> await(const Context& context) {
    if (!settled()) {
      std::atomic<int> rung{0};
      const auto ring_me = [&rung] {
        rung.store(1);
        rung.notify_one();
      };
      // Their destructors wait for a ring_me that is under way, so `rung` outlives it.
      const std::stop_callback by_result(doorbell_.get_token(), ring_me);
      const std::stop_callback by_context(context.stop_token(), ring_me);
      rung.wait(0);
    }
    if (settled()) return outcome();
    return std::unexpected(*context.error());
  }

  void on_settled(Callback callback) {
    auto* ear = new Ear(*this, std::move(callback));
    ear->link.emplace(event_.get_token(), Hear{ear});
    ear->let_go();
  }

  void cancel() {
    if (!settled()) producer_.cancel();
  }

  Context context() const { return producer_.context(); }

 private:
  struct Ear;

  struct Hear {
    Ear* ear;
    void operator()() const noexcept {
      Ear* const mine = ear;  // *this lies in the ear, which goes away
      mine->hear();
    }
  };

  // A callback on the heap. Two hold it: who registers it, until the registration is complete, and
  // the call. The second one to let go destroys it, if need be (and the library permits it) from
  // inside the stop_callback that is running.
  struct Ear {
    Ear(Core& c, Callback f) : core(c), callback(std::move(f)) {}

    void hear() noexcept {
      core.ring();  // awaiters first: a callback may take its time, or wait for one of them
      {
        Callback once = std::exchange(callback, nullptr);
        try {
          once(core.outcome());
        } catch (...) {  // NOLINT: there is nobody to tell
        }
      }
      let_go();
    }

    void let_go() noexcept {
      if (holders.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
    }

    Core& core;
    Callback callback;
    std::atomic<int> holders{2};
    std::optional<std::stop_callback<Hear>> link;
  };

  // Only after event_ was set.
  void ring() {
    if (!doorbell_.stop_requested()) doorbell_.request_stop();
  }

  const Result<T>& outcome() const { return *outcome_.load(std::memory_order_acquire); }

  CancelSource producer_;
  std::atomic<const Result<T>*> outcome_{nullptr};  // set once, before event_
  std::stop_source event_;                          // callbacks listen to this one
  std::stop_source doorbell_;                       // and awaiters to that one
};

}  // namespace stop_detail

template <class T>
class Future {
 public:
  Future() = default;

  Result<T> await(const Context& context) const {
    const auto core = core_;
    return core ? core->await(context) : invalid();
  }

  bool settled() const { return !core_ || core_->settled(); }

  void on_settled(Fn<void(const Result<T>&)> callback) const {
    if (const auto core = core_) {
      core->on_settled(std::move(callback));
      return;
    }
    try {
      callback(invalid());
    } catch (...) {  // NOLINT: as above
    }
  }

  void cancel() const {
    if (const auto core = core_) core->cancel();
  }

 private:
  friend std::pair<Future<T>, Resolver<T>> stop_detail::make_under<T>(const Context&);
  explicit Future(std::shared_ptr<stop_detail::Core<T>> core) : core_(std::move(core)) {}

  static Result<T> invalid() {
    return std::unexpected(Error{Errc::invalid_argument, "this handle refers to no future"});
  }

  std::shared_ptr<stop_detail::Core<T>> core_;
};

template <class T>
class Resolver {
 public:
  Resolver(Resolver&&) noexcept = default;
  Resolver& operator=(Resolver&& other) noexcept {
    Resolver old(std::move(other));
    std::swap(core_, old.core_);
    return *this;
  }
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  ~Resolver() {
    if (core_ && !core_->settled()) {
      reject(Error{Errc::broken_promise, "the resolver went away unsettled"});
    }
  }

  bool resolve(T value) {
    return settle(std::make_unique<const Result<T>>(std::in_place, std::move(value)));
  }
  bool reject(Error error) {
    return settle(std::make_unique<const Result<T>>(std::unexpect, std::move(error)));
  }

  Context context() const { return core_ ? core_->context() : Context::background(); }

 private:
  friend std::pair<Future<T>, Resolver<T>> stop_detail::make_under<T>(const Context&);
  explicit Resolver(std::shared_ptr<stop_detail::Core<T>> core) : core_(std::move(core)) {}

  // A callback may destroy *this.
  bool settle(std::unique_ptr<const Result<T>> outcome) {
    const auto core = core_;
    return core && core->settle(std::move(outcome));
  }

  std::shared_ptr<stop_detail::Core<T>> core_;
};

template <class T>
std::pair<Future<T>, Resolver<T>> stop_detail::make_under(const Context& parent) {
  auto core = std::make_shared<Core<T>>(parent);
  return {Future<T>(core), Resolver<T>(core)};
}

template <class T>
std::pair<Future<T>, Resolver<T>> make_future() {
  return stop_detail::make_under<T>(Context::background());
}

template <class T>
Future<T> go(const Context& context, Fn<Result<T>(const Context&)> fn) {
  auto [future, resolver] = stop_detail::make_under<T>(context);
  spawn([fn = std::move(fn), writer = std::move(resolver)]() mutable {
    Result<T> outcome = [&]() -> Result<T> {
      try {
        return std::exchange(fn, nullptr)(writer.context());
      } catch (...) {
        return std::unexpected(error_from_current_exception());
      }
    }();
    if (outcome) {
      writer.resolve(*std::move(outcome));
    } else {
      writer.reject(std::move(outcome).error());
    }
  });
  return future;
}

}  // namespace futures
