// A future that can fail: one channel, one message, and the message is a value or an error.
#pragma once

#include <expected>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

// Starts fn on a thread of its own and returns at once. The returned channel carries exactly one
// message and is closed after it: what fn returned, or, when fn threw, an Error with code
// Errc::exception. T only has to be movable.
//
// The producer's thread ends as soon as fn has returned, whether or not anybody receives. Throws
// std::system_error, without having run fn, when the system has no thread to give.
//
// Why not two channels, one for values and one for errors? The waiter would have to watch both, and
// the types could not say that exactly one of them will speak.
template <class T>
Receiver<Result<T>> async_result(Fn<Result<T>()> fn) {
  // Room for the one message, so that the producer of an abandoned future does not wait.
  auto [sender, receiver] = make_channel<Result<T>>(1);

  spawn([fn = std::move(fn), sender]() mutable {
    try {
      // One expression: an exception on the way into the channel (T's move constructor) is an
      // exception too, and one that was thrown left nothing in the channel.
      sender.send(fn());
    } catch (...) {
      // Turned into a value here and now. A std::exception_ptr could carry the original across, but
      // its reference count is out of ThreadSanitizer's sight, and a value can be compared.
      sender.send(std::unexpected(error_from_current_exception()));
    }
    sender.close();
  });
  return receiver;
}

}  // namespace futures
