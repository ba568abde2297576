// Right: fn waits in a deferred std::future that a thread carries off and asks; await answers
// through a std::variant.
#pragma once

#include <expected>
#include <future>
#include <utility>
#include <variant>

#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// Not started: it runs on the thread that calls get(). No exception gets into it.
template <class T>
std::future<Result<T>> postpone(Context ctx, Fn<Result<T>(const Context&)> fn) {
  return std::async(std::launch::deferred,
                    [ctx = std::move(ctx), fn = std::move(fn)]() mutable -> Result<T> {
                      try {
                        return fn(ctx);
                      } catch (...) {
                        return std::unexpected(error_from_current_exception());
                      }
                    });
}

// The second alternative: why there is no message.
template <class T>
using Answer = std::variant<Result<T>, Error>;

template <class T>
Answer<T> ask(const Context& ctx, const Receiver<Result<T>>& future) {
  Result<Result<T>> message = future.receive(ctx);
  if (!message) return Answer<T>(std::in_place_index<1>, std::move(message).error());
  return Answer<T>(std::in_place_index<0>, *std::move(message));
}

template <class T>
struct Unwrap {
  Result<T> operator()(Result<T>&& message) const { return std::move(message); }
  Result<T> operator()(Error&& why) const { return std::unexpected(std::move(why)); }
};

}  // namespace detail

template <class T>
Receiver<Result<T>> async_with_context(Context ctx, Fn<Result<T>(const Context&)> fn) {
  auto channel = make_channel<Result<T>>(1);
  spawn([work = detail::postpone<T>(std::move(ctx), std::move(fn)),
         sender = std::move(channel.first)]() mutable {
    // get() leaves the future empty: fn and its captures are gone when it returns.
    sender.send(work.get());
    sender.close();
  });
  return std::move(channel.second);
}

template <class T>
Result<T> await(const Context& ctx, Receiver<Result<T>>& future) {
  return std::visit(detail::Unwrap<T>{}, detail::ask<T>(ctx, future));
}

}  // namespace futures
