// Wrong: an async() that is called inside a producer runs its function there and then, since the
// producer is going to wait for it anyway; bites when fn calls async() and relies on its returning
// at once: when the inner function waits for something that fn does after the call (or for a
// sibling that fn has yet to start), both are stuck for ever.
#pragma once

#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

inline thread_local bool inside_a_producer = false;

inline void produce(Fn<int()>& fn, const Sender<int>& sender) {
  const bool nested = std::exchange(inside_a_producer, true);
  try {
    sender.send(fn());
  } catch (...) {
  }
  sender.close();
  inside_a_producer = nested;
}

}  // namespace detail

inline Receiver<int> async(Fn<int()> fn) {
  auto [sender, receiver] = make_channel<int>(1);
  if (detail::inside_a_producer) {
    // Work first: this thread would only sleep until the result is there. Saves a thread for each
    // level of a recursion.
    detail::produce(fn, sender);
  } else {
    spawn([fn = std::move(fn), sender]() mutable { detail::produce(fn, sender); });
  }
  return receiver;
}

}  // namespace futures
