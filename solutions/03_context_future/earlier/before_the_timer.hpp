// Wrong: await waits for the deadline by its own clock and then reads the context's error, which is
// not there yet; bites when the awaiter wakes up before the timer's thread has told the context.
#pragma once

#include <algorithm>
#include <chrono>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// Whatever happens in between: the channel has its message and is closed.
template <class T>
class Delivery {
 public:
  explicit Delivery(Sender<Result<T>> sender) : sender_(std::move(sender)) {}
  Delivery(const Delivery&) = delete;
  Delivery& operator=(const Delivery&) = delete;
  ~Delivery() { sender_.close(); }
  void operator()(Result<T> result) const { sender_.try_send(std::move(result)); }

 private:
  Sender<Result<T>> sender_;
};

}  // namespace detail

template <class T>
Receiver<Result<T>> async_with_context(Context ctx, Fn<Result<T>(const Context&)> fn) {
  auto channel = make_channel<Result<T>>(1);
  spawn([ctx, sender = channel.first, fn = std::move(fn)]() mutable {
    const detail::Delivery<T> deliver(sender);
    try {
      auto work = std::move(fn);
      auto result = work(ctx);
      work = nullptr;
      deliver(std::move(result));
    } catch (...) {
      deliver(std::unexpected(error_from_current_exception()));
    }
  });
  return channel.second;
}

template <class T>
Result<T> await(const Context& ctx, Receiver<Result<T>>& future) {
  using namespace std::chrono_literals;
  while (true) {
    // In slices, because a cancellation does not wake us; never beyond the deadline.
    Clock::duration slice = 2ms;
    const auto deadline = ctx.deadline();
    if (deadline) slice = std::clamp<Clock::duration>(*deadline - Clock::now(), 0ms, slice);
    const bool over = ctx.done() || (deadline && Clock::now() >= *deadline);
    // After the question whether it is over: what is there counts.
    if (auto message = future.receive_for(over ? Clock::duration::zero() : slice))
      return *std::move(message);
    if (over) break;
    if (future.closed()) {
      if (auto message = future.try_receive()) return *std::move(message);
      return std::unexpected(Error{Errc::closed, "nothing comes any more"});
    }
  }
  if (future.closed()) {
    if (auto message = future.try_receive()) return *std::move(message);
  }
  return std::unexpected(*ctx.error());
}

}  // namespace futures
