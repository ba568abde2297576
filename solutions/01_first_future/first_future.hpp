// A future in its smallest form: a thread that computes, and a channel that carries one value.
#pragma once

#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

// Starts fn on a thread of its own and returns at once. The returned channel carries the one value
// that fn returned and is closed after it; it is closed without a value when fn threw.
//
// The producer's thread ends as soon as fn has returned, whether or not anybody receives: to give
// up on a value, stop waiting for it. Throws std::system_error, without having run fn, when the
// system has no thread to give.
inline Receiver<int> async(Fn<int()> fn) {
  // Room for one value, so that the send below never waits. With capacity 0, a rendezvous, the
  // producer of an abandoned future would wait for its receiver for ever.
  auto [sender, receiver] = make_channel<int>(1);

  // Everything is moved into the thread: this function's own variables are gone while fn runs.
  spawn([fn = std::move(fn), sender]() mutable {
    try {
      sender.send(fn());
    } catch (...) {
      // A channel of int has no room for an error (task 2 makes some). What the waiter needs most
      // is to be told that nothing will come, and closing below does that. `...`, because `throw
      // 42` must not leave it waiting either.
    }
    // After the send, and on every path: what was sent before can still be received.
    sender.close();
  });
  return receiver;
}

}  // namespace futures
