// Right: a guard closes the channel after a failure, once everything that fn had is gone.
#pragma once

#include <expected>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// Closes a channel on whatever way its scope is left.
template <class T>
class Closer {
 public:
  explicit Closer(const Sender<T>& sender) : sender_(sender) {}
  ~Closer() { sender_.close(); }
  Closer(const Closer&) = delete;
  Closer& operator=(const Closer&) = delete;

 private:
  const Sender<T>& sender_;
};

}  // namespace detail

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
Receiver<Result<T>> async_result(Fn<Result<T>()> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);  // room: nobody needs to be there
  spawn([sender = std::move(sender), fn = std::move(fn)]() mutable {
    const detail::Closer closer(sender);
    auto task = std::move(fn);  // and its captures go with this scope
    try {
      sender.send(task());
      sender.close();  // now, and not when the captures are gone: that may take a while
    } catch (...) {
      sender.send(std::unexpected(error_from_current_exception()));
    }
  });
  return receiver;
}

}  // namespace futures
