// Wrong: a cancel settles the future for good; bites when fn finishes all the same.
#pragma once

#include <atomic>
#include <expected>
#include <memory>
#include <stop_token>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// Delivers the first of two messages: fn's result or the context's error.
template <class T>
class FirstWord {
 public:
  explicit FirstWord(Sender<Result<T>> sender) : sender_(std::move(sender)) {}

  void say(Result<T> result) {
    if (said_.exchange(true)) return;
    sender_.send(std::move(result));
    sender_.close();
  }

 private:
  Sender<Result<T>> sender_;
  std::atomic<bool> said_{false};
};

}  // namespace detail

template <class T>
Receiver<Result<T>> async_with_context(Context ctx, Fn<Result<T>(const Context&)> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  auto word = std::make_shared<detail::FirstWord<T>>(sender);
  spawn([ctx = std::move(ctx), fn = std::move(fn), word]() mutable {
    const std::stop_callback on_end(ctx.stop_token(),
                                    [&] { word->say(std::unexpected(*ctx.error())); });
    try {
      word->say(fn(ctx));
    } catch (...) {
      word->say(std::unexpected(error_from_current_exception()));
    }
  });
  return receiver;
}

template <class T>
Result<T> await(const Context& ctx, Receiver<Result<T>>& future) {
  auto message = future.receive(ctx);
  if (!message) return std::unexpected(message.error());
  return *std::move(message);
}

}  // namespace futures
