// Task 3: a future that can be given up.
#pragma once

#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

// Starts fn(ctx) on a thread of its own and returns at once. The channel carries exactly one
// message, the value or the error, and is closed after it.
//
// - fn sees the context that was passed here: its cancellation and the reason, its deadline. It may
//   outlive the caller's own copy of the context.
// - The context's end does not stop fn; fn has to look. Whenever it finishes, its result is
//   delivered: a finished result is never dropped because the context ended.
// - An exception, of whatever type, arrives as an Error with code Errc::exception.
// - The producer's thread ends as soon as fn has returned, whether or not anybody awaits.
template <class T>
Receiver<Result<T>> async_with_context([[maybe_unused]] Context ctx,
                                       [[maybe_unused]] Fn<Result<T>(const Context&)> fn) {
  not_implemented();
}

// Waits for the future's message, or until ctx has ended, whichever is first, and also when fn
// ignores its context. Returns what fn returned, or the context's error.
//
// - A message that is already there beats a context that has ended.
// - Giving up takes nothing away: another await, with a context that is alive, still gets the
// result.
// - The message can be had once. An await after that returns an error, never a value of its own
//   making.
template <class T>
Result<T> await([[maybe_unused]] const Context& ctx, [[maybe_unused]] Receiver<Result<T>>& future) {
  not_implemented();
}

}  // namespace futures
