// Right: a thrown std::system_error keeps the code that it brings, as the contract leaves open.
#pragma once

#include <system_error>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

template <class T>
Result<T> call_with_context(const Context& ctx, Fn<Result<T>(const Context&)> fn) {
  try {
    return fn(ctx);
  } catch (const std::system_error& e) {
    return std::unexpected(Error{e.code(), e.what()});
  } catch (...) {
    return std::unexpected(error_from_current_exception());
  }
}

}  // namespace detail

template <class T>
Receiver<Result<T>> async_with_context(Context ctx, Fn<Result<T>(const Context&)> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  spawn([ctx = std::move(ctx), fn = std::move(fn), out = std::move(sender)]() mutable {
    out.send(detail::call_with_context<T>(ctx, std::move(fn)));
    out.close();
  });
  return std::move(receiver);
}

template <class T>
Result<T> await(const Context& ctx, Receiver<Result<T>>& future) {
  auto message = future.receive(ctx);
  if (!message) return std::unexpected(std::move(message).error());
  return *std::move(message);
}

}  // namespace futures
