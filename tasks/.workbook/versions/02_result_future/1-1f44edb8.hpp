// Task 2: a future that can fail.
#pragma once

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

// Starts fn on a thread of its own and returns at once. The channel carries exactly one message,
// the value or the error, and is closed after it: a second receive() gets nullopt at once.
//
// - What fn returned arrives as it is: T need not be copyable, nor have a default constructor.
// - An exception, of whatever type, arrives as an Error with code Errc::exception. It neither ends
//   the process nor leaves anybody waiting.
// - fn runs exactly once, also when it fails and when nobody ever receives. The producer's thread
//   ends as soon as fn has returned, whether or not somebody takes the message.
// - fn's captures are destroyed once it has run.
template <class T>
Receiver<Result<T>> async_result([[maybe_unused]] Fn<Result<T>()> fn) {
  not_implemented();
}

}  // namespace futures
