// Stretch 1: a chain of stages in which the slowest one holds up the others.
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

// The way in. Move-only; push, close and fail may be called from many threads at once. One that
// goes away without close() or fail() lets the chain end in Errc::broken_promise.
template <class T>
class Intake {
 public:
  // Your turn: the destructor, and what a move has to do. There is no copy.
  Intake(Intake&&) noexcept = default;
  Intake& operator=(Intake&&) noexcept = default;
  Intake(const Intake&) = delete;
  Intake& operator=(const Intake&) = delete;

  // Blocks while the first queue is full. An error means that the value is gone, and says why:
  // `patience` ended (nothing else happens to the chain), close() or fail() was called
  // (Errc::closed), or nobody wants values any more: then it is what ended the chain. Room that is
  // there beats a patience that has ended.
  Result<void> push([[maybe_unused]] const Context& patience, [[maybe_unused]] T value) const {
    not_implemented();
  }

  // No more values. Those pushed before still go all the way.
  void close() const { not_implemented(); }

  // As close(), but what comes after the last value is this error. Only the first call counts.
  void fail([[maybe_unused]] Error error) const { not_implemented(); }
};

// The way out, so far: hand it to then() to add a stage. Move-only; pull may be called from many
// threads at once, and each value goes to one of them. When it goes away, nobody wants the values:
// those under way are destroyed, the stages end, and push() says Errc::closed.
template <class T>
class Chain {
 public:
  // Your turn, as above.
  Chain(Chain&&) noexcept = default;
  Chain& operator=(Chain&&) noexcept = default;
  Chain(const Chain&) = delete;
  Chain& operator=(const Chain&) = delete;

  // Blocks until there is a value. At the end: Errc::closed, or the error that ended the chain,
  // each time again; when `patience` ended before: its error. A value that is there beats a
  // patience that has ended.
  Result<T> pull([[maybe_unused]] const Context& patience) const { not_implemented(); }
};

// A chain without stages: one queue. When `context` ends, the chain ends with its error, and all
// values under way are destroyed. A capacity of 0 is Errc::invalid_argument, here and in then():
// push and pull say so.
template <class T>
std::pair<Intake<T>, Chain<T>> make_chain([[maybe_unused]] const Context& context,
                                          [[maybe_unused]] std::size_t capacity) {
  not_implemented();
}

// Adds a stage, which has a thread of its own and a queue of `capacity` values behind it. It calls
// fn for one value after the other and waits while that queue is full, so that a slow stage holds
// up those before it. fn's context ends when nobody wants its result any more. An error from fn, or
// an exception, ends the chain: the values that passed this stage are still delivered, then the
// error; those before it are destroyed.
template <class U, class T>
Chain<U> then([[maybe_unused]] Chain<T> chain, [[maybe_unused]] std::size_t capacity,
              [[maybe_unused]] std::type_identity_t<Fn<Result<U>(const Context&, T)>> fn) {
  not_implemented();
}

}  // namespace futures
