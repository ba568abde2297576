// Right: a shared owner of the sending end closes it; the waiter is woken by a stop_callback.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// Sends at most one message, and closes when its last owner goes.
template <class T>
class Reply {
 public:
  explicit Reply(Sender<Result<T>> sender) : sender_(std::move(sender)) {}
  Reply(const Reply&) = delete;
  Reply& operator=(const Reply&) = delete;
  ~Reply() { sender_.close(); }

  void send(Result<T> result) { sender_.send(std::move(result)); }

 private:
  Sender<Result<T>> sender_;
};

}  // namespace detail

template <class T>
Receiver<Result<T>> async_with_context(Context ctx, Fn<Result<T>(const Context&)> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  auto reply = std::make_shared<detail::Reply<T>>(sender);
  std::thread([ctx, fn = std::move(fn), reply = std::move(reply)]() mutable {
    std::optional<Result<T>> result;
    try {
      result.emplace(fn(ctx));
    } catch (...) {
      result.emplace(std::unexpected(error_from_current_exception()));
    }
    fn = nullptr;
    reply->send(*std::move(result));
  }).detach();
  return receiver;
}

template <class T>
Result<T> await(const Context& ctx, Receiver<Result<T>>& future) {
  auto message = future.try_receive();
  if (!message) {
    // Ends with this call, or with ctx: the wait below needs nothing but its cancellation.
    CancelSource wait = with_cancel(Context::background());
    const std::stop_callback give_up(ctx.stop_token(), [&] { wait.cancel(); });
    auto received = future.receive(wait.context());
    if (!received && received.error().code == Errc::closed) {
      return std::unexpected(std::move(received).error());
    }
    if (!received) return std::unexpected(*ctx.error());
    message = *std::move(received);
  }
  return *std::move(message);
}

}  // namespace futures
