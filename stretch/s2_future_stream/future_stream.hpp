// Stretch 2: a future of many values, and pipelines made of it.
#pragma once

#include <cstddef>
#include <type_traits>

#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

// A handle; copies refer to the same stream. All members may be called from many threads at once,
// and from inside the functions of a pipeline. A stream has one consumer: range(), or the stage
// that was made from it. Whoever comes second gets Errc::invalid_argument and disturbs nobody.
//
// When a stream is cancelled, what was sent and not delivered is destroyed at once, and send() says
// why. That happens when range() ends before the stream does, when the context of range() or of a
// stage ends, when a function fails, when take() has enough, and when what comes out of a stage is
// dropped. What send(), close() and producers() do on a stream that comes out of a stage is
// nobody's business: they belong to the stream at the start.
template <class T>
class FutureStream {
 public:
  // A stream whose producers may be `capacity` values ahead of its consumer. A capacity of 0 is
  // Errc::invalid_argument: send and range say so.
  explicit FutureStream([[maybe_unused]] std::size_t capacity = 1) { not_implemented(); }

  // Adds a value; blocks while there is no room. An error means that the value is gone, and says
  // why: the stream was cancelled for this reason; or Errc::closed, after close(); or the context's
  // error. Room that is there beats a context that has ended.
  Result<void> send([[maybe_unused]] const Context& context, [[maybe_unused]] T value) const {
    not_implemented();
  }

  // No more values; the consumer still gets those that were sent, then the error if there is one.
  // Returns whether this call closed the stream: only the first does.
  bool close() const { not_implemented(); }
  bool close([[maybe_unused]] Error error) const { not_implemented(); }

  // Ends when the stream is cancelled, with the reason. For producers that are busy.
  Context producers() const { not_implemented(); }

  // Nobody wants the rest. Does nothing at the end of the stream.
  void cancel([[maybe_unused]] const Error& why = {Errc::cancelled,
                                                   "the stream was cancelled"}) const {
    not_implemented();
  }

  // Calls fn for each value, in order, on this thread, until the stream ends: success, or the error
  // it was closed or cancelled with. An error from fn (or an exception) ends it as well. When the
  // context ends: its error, and fn is not called again; only an end that was reached before wins.
  Result<void> range([[maybe_unused]] const Context& context,
                     [[maybe_unused]] Fn<Result<void>(T)> fn) const {
    not_implemented();
  }
};

// The values that fn makes of the stream's, in order. An error from fn, or an exception, ends the
// stream: the consumer gets it after the values before it. The stage is over when its context ends:
// fn is not called again, the consumer gets the context's error.
template <class U, class T>
FutureStream<U> map([[maybe_unused]] const Context& context,
                    [[maybe_unused]] FutureStream<T> stream,
                    [[maybe_unused]] std::type_identity_t<Fn<Result<U>(T)>> fn) {
  not_implemented();
}

// The values for which fn says true, in order. Errors and the context as with map().
template <class T>
FutureStream<T> filter([[maybe_unused]] const Context& context,
                       [[maybe_unused]] FutureStream<T> stream,
                       [[maybe_unused]] std::type_identity_t<Fn<Result<bool>(const T&)>> fn) {
  not_implemented();
}

// The first `count` values. With the last of them the stream before is cancelled, whether it ever
// sends another or not. The context as with map().
template <class T>
FutureStream<T> take([[maybe_unused]] const Context& context,
                     [[maybe_unused]] FutureStream<T> stream, [[maybe_unused]] std::size_t count) {
  not_implemented();
}

}  // namespace futures
