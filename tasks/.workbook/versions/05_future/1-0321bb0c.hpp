// Task 5: a future and its resolver, two ends of one result.
#pragma once

#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

// The right to read. Copies refer to the same result. Safe to use from many threads at once.
//
// T is any object type, with or without a default constructor; await() needs to copy it. There is
// no way to get from a Future to the right to write.
//
// A handle can be empty: moved from, or made by the default constructor. Nothing obliges you to
// support that here, but task 10 meets such handles. The simplest answer: an empty Future behaves
// like one that was rejected with Errc::invalid_argument.
template <class T>
class Future {
 public:
  Future() = default;

  // Blocks until the result is there or the context has ended; then returns a copy of the result,
  // or the context's error. A result that is already there is returned even when the context has
  // ended.
  Result<T> await([[maybe_unused]] const Context& context) const { not_implemented(); }

  // Whether the result is there. Once true, await() returns it at once.
  bool settled() const { not_implemented(); }

  // Runs callback exactly once: on the thread that settles, or, when the future is settled already,
  // here and now. No lock is held meanwhile, so the callback may use this very future, and it may
  // drop the last handle on it. The callback and its captures are destroyed once it has run.
  // When it throws, that is the end of this callback, and of nothing else.
  void on_settled([[maybe_unused]] Fn<void(const Result<T>&)> callback) const { not_implemented(); }

  // Asks the producer to stop: cancels its context. It does not settle the future: the producer
  // does, when it has noticed. Does nothing when the future is settled.
  void cancel() const { not_implemented(); }
};

// The right to write, once. Move-only; moving and destroying apart, safe to use from many threads
// at once. When a resolver goes away and has not settled its future (destroyed, or another one was
// moved over it), the future is rejected with Errc::broken_promise.
template <class T>
class Resolver {
 public:
  // Your turn: the destructor, and what a move has to do. There is no copy.
  Resolver(Resolver&&) noexcept = default;
  Resolver& operator=(Resolver&&) noexcept = default;
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // Settles the future with a value. True: this call did it. False: it was settled before; the
  // value is dropped and nothing changes. When the call that settles returns, the callbacks that
  // were registered before it have run. A callback may destroy this resolver.
  bool resolve([[maybe_unused]] T value) { not_implemented(); }

  // Settles the future with an error; otherwise as resolve().
  bool reject([[maybe_unused]] Error error) { not_implemented(); }

  // The context that cancel() ends. For the producer to look at, or to hand on.
  Context context() const { not_implemented(); }

 private:
  Resolver() = default;  // only make_future() makes resolvers; give it what it needs
};

// A pending future and the one resolver that can settle it.
template <class T>
std::pair<Future<T>, Resolver<T>> make_future() {
  not_implemented();
}

// Returns at once; runs fn on a thread of its own and settles the future with what it returns, or
// with an Error of code Errc::exception when it throws. The context that fn sees ends with the
// given one, and when the future is cancelled.
template <class T>
Future<T> go([[maybe_unused]] const Context& context,
             [[maybe_unused]] Fn<Result<T>(const Context&)> fn) {
  not_implemented();
}

}  // namespace futures
