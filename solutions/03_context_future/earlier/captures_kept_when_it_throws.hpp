// Wrong: the work keeps itself alive, and lets go of itself when fn has returned; bites when fn
// throws: what it captured is never destroyed.
#pragma once

#include <expected>
#include <memory>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

// Starts fn(ctx) on a thread of its own and returns at once. The returned channel carries exactly
// one message and is closed after it: what fn returned, or, when fn threw, an Error with code
// Errc::exception.
//
// The context is a request, not a force: fn runs until it returns, so a fn that never looks at its
// context keeps a thread busy for somebody who has long left. Throws std::system_error, without
// having run fn, when the system has no thread to give.
template <class T>
Receiver<Result<T>> async_with_context(Context ctx, Fn<Result<T>(const Context&)> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);

  struct Work {
    Context ctx;
    Fn<Result<T>(const Context&)> fn;
    std::shared_ptr<Work> self;  // until the thread has done its work
  };
  auto work = std::make_shared<Work>(std::move(ctx), std::move(fn), nullptr);
  work->self = work;
  spawn([work = work.get(), sender]() mutable {
    try {
      sender.send(work->fn(work->ctx));
      work->self.reset();
    } catch (...) {
      sender.send(std::unexpected(error_from_current_exception()));
    }
    sender.close();
  });
  return receiver;
}

// Waits until the future has its message or ctx has ended. Returns fn's result, or the context's
// error; or Errc::closed when the message was taken before. Gives up without taking anything away:
// the result can still be awaited with another context. Safe to call from many threads on one
// future; one of them gets the result.
template <class T>
Result<T> await(const Context& ctx, Receiver<Result<T>>& future) {
  // Two Results, one in the other: did a message come, and if so, which. The channel looks for the
  // message before it looks at the context, each time it wakes; "done? then give up" in the other
  // order would lose a result that had come in time.
  Result<Result<T>> message = future.receive(ctx);
  if (!message) return std::unexpected(std::move(message).error());
  return *std::move(message);
}

}  // namespace futures
