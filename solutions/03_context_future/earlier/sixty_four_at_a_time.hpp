// Wrong: at most 64 functions run at a time in the whole process; bites when 64 of them wait for
// something that only a later one does, or ignore their context: the next fn never runs.
#pragma once

#include <expected>
#include <semaphore>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// Threads are cheap to start and dear to schedule: more than this many at work only trip over each
// other.
inline std::counting_semaphore<64>& places() {
  static std::counting_semaphore<64> all(64);
  return all;
}

struct Place {
  Place() { places().acquire(); }
  ~Place() { places().release(); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
};

}  // namespace detail

template <class T>
Receiver<Result<T>> async_with_context(Context ctx, Fn<Result<T>(const Context&)> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  spawn([ctx = std::move(ctx), fn = std::move(fn), sender]() mutable {
    const detail::Place place;
    try {
      sender.send(fn(ctx));
    } catch (...) {
      sender.send(std::unexpected(error_from_current_exception()));
    }
    sender.close();
  });
  return receiver;
}

template <class T>
Result<T> await(const Context& ctx, Receiver<Result<T>>& future) {
  Result<Result<T>> message = future.receive(ctx);
  if (!message) return std::unexpected(std::move(message).error());
  return *std::move(message);
}

}  // namespace futures
