// Task 6: a value that is computed when somebody first asks for it, and only then.
#pragma once

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

// Runs fn at most once, on the first await. Everybody who awaits gets a copy of what it returned,
// now or later, a failure too: a Lazy whose fn failed stays failed.
//
// await() may be called from any number of threads at once. Nobody may be inside await() when the
// Lazy is destroyed; fn, however, may still be running: an awaiter that lost patience does not wait
// for it.
template <class T>
class Lazy {
 public:
  // Keeps fn for later. T need not have a default constructor.
  explicit Lazy([[maybe_unused]] Fn<Result<T>(const Context&)> fn) { not_implemented(); }
  Lazy(const Lazy&) = delete;
  Lazy& operator=(const Lazy&) = delete;

  // The outcome of fn, started by this call if no other call has; or, when ctx ends first, ctx's
  // error. That holds for every awaiter, also for the one that started fn, and also when fn does
  // not care about its context. An outcome that is already there is returned whether ctx has ended
  // or not. An exception that leaves fn is an outcome too: an Error with code Errc::exception.
  Result<T> await([[maybe_unused]] const Context& ctx) { not_implemented(); }
};

// A Lazy that keeps only a success: after a failed or cancelled attempt the next await runs fn
// again. Two runs of fn never overlap while somebody waits for the first.
//
// Everything said about Lazy's threads and lifetime holds here, too.
template <class T>
class RetryLazy {
 public:
  explicit RetryLazy([[maybe_unused]] Fn<Result<T>(const Context&)> fn) { not_implemented(); }
  RetryLazy(const RetryLazy&) = delete;
  RetryLazy& operator=(const RetryLazy&) = delete;

  // The value, if there is one. Else the outcome of the attempt that is running, or of a new one
  // that this call starts; or, when ctx ends first, ctx's error. Someone who joined an attempt that
  // was cancelled gets that attempt's error or makes the next attempt: never a value that
  // fn did not return.
  Result<T> await([[maybe_unused]] const Context& ctx) { not_implemented(); }
};

}  // namespace futures
