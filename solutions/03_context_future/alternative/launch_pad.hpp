// Right: the caller starts no thread for fn itself. It puts the work on a lock-free stack; a
// launcher thread, which exists only while there is something on the stack, takes all of it and
// starts a thread for each. The top of the stack is also the launcher's state: null says "nobody is
// here", a mark says "here, and nothing to do". Work that dies unlaunched says so in its
// destructor.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace launch_detail {

class Rocket {
 public:
  Rocket() = default;
  Rocket(const Rocket&) = delete;
  Rocket& operator=(const Rocket&) = delete;
  virtual ~Rocket() = default;
  virtual void fly() {}

  Rocket* below = nullptr;
};

class Pad {
 public:
  static void put(std::unique_ptr<Rocket> owned) {
    Rocket* const rocket = owned.release();
    Rocket* seen = top().load(std::memory_order_acquire);
    do {
      rocket->below = seen == mark() ? nullptr : seen;
    } while (!top().compare_exchange_weak(seen, rocket, std::memory_order_acq_rel,
                                          std::memory_order_acquire));
    if (seen != nullptr) return;  // somebody is here, and will look again before leaving
    try {
      spawn([] { launch_all(); });
    } catch (const std::system_error&) {
      launch_all();  // no thread for a launcher: then it is us. This starts threads, it runs no fn.
    }
  }

 private:
  static std::atomic<Rocket*>& top() {
    static constinit std::atomic<Rocket*> pointer{nullptr};
    return pointer;
  }

  // Only its address matters. Never destroyed: the launcher may outlive main().
  static Rocket* mark() {
    static auto* rocket = new Rocket;
    return rocket;
  }

  static void launch_all() {
    for (;;) {
      Rocket* batch = top().exchange(mark(), std::memory_order_acq_rel);
      if (batch == mark()) batch = nullptr;
      // The stack has the newest on top: turn it over.
      Rocket* first = nullptr;
      while (batch != nullptr) {
        Rocket* const next = std::exchange(batch->below, first);
        first = std::exchange(batch, next);
      }
      while (first != nullptr) {
        std::unique_ptr<Rocket> rocket(first);
        first = first->below;
        try {
          spawn([rocket = std::move(rocket)] { rocket->fly(); });
        } catch (const std::system_error&) {
          // The rocket is gone, and its destructor has told whoever waits.
        }
      }
      Rocket* expected = mark();
      if (top().compare_exchange_strong(expected, nullptr, std::memory_order_acq_rel,
                                        std::memory_order_relaxed)) {
        return;
      }
    }
  }
};

template <class T>
class Errand final : public Rocket {
 public:
  using Function = Fn<Result<T>(const Context&)>;

  Errand(Context ctx, Function fn, Sender<Result<T>> home)
      : ctx_(std::move(ctx)), fn_(std::move(fn)), home_(std::move(home)) {}

  ~Errand() override {
    if (home_) {
      post(std::unexpected(Error{Errc::unavailable, "the system has no thread to give"}));
    }
  }

  void fly() override { post(call()); }

 private:
  Result<T> call() {
    try {
      return std::exchange(fn_, nullptr)(ctx_);
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  void post(Result<T> outcome) {
    const Sender<Result<T>> home = *std::exchange(home_, std::nullopt);
    home.send(std::move(outcome));
    home.close();
  }

  Context ctx_;
  Function fn_;
  std::optional<Sender<Result<T>>> home_;  // none once the message has been posted
};

}  // namespace launch_detail

template <class T>
Receiver<Result<T>> async_with_context(Context ctx, Fn<Result<T>(const Context&)> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  launch_detail::Pad::put(
      std::make_unique<launch_detail::Errand<T>>(std::move(ctx), std::move(fn), std::move(sender)));
  return std::move(receiver);
}

template <class T>
Result<T> await(const Context& ctx, Receiver<Result<T>>& future) {
  Result<Result<T>> letter = future.receive(ctx);
  return letter ? *std::move(letter) : Result<T>(std::unexpect, std::move(letter).error());
}

}  // namespace futures
