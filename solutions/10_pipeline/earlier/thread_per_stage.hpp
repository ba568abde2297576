// Wrong: a thread waits in every stage; bites when there are a thousand of them.
#pragma once

#include <exception>
#include <memory>
#include <thread>
#include <type_traits>
#include <utility>

#include "future.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

namespace detail {

template <class U, class Work>
Future<U> bridge(Work work) {
  auto [output, resolver] = make_future<U>();
  std::thread([work = std::move(work), out = std::move(resolver)]() mutable {
    Result<U> outcome = std::unexpected(Error{});
    try {
      outcome = work(out.context());
    } catch (...) {
      outcome = std::unexpected(error_from_current_exception());
    }
    if (outcome) {
      out.resolve(*std::move(outcome));
    } else {
      out.reject(std::move(outcome).error());
    }
  }).detach();
  return output;
}

template <class T>
Result<T> await_or_cancel(const Context& context, const Context& output, const Future<T>& future) {
  auto either = with_cancel(context);
  const std::stop_callback link(output.stop_token(), [&] { either.cancel(); });
  auto outcome = future.await(either.context());
  if (either.context().done()) future.cancel();
  return outcome;
}

}  // namespace detail

template <class U, class T>
Future<U> then(const Context& context, Future<T> future,
               std::type_identity_t<Fn<Future<U>(const Context&, T)>> fn) {
  return detail::bridge<U>(
      [context, future, fn = std::move(fn)](const Context& output) mutable -> Result<U> {
        auto value = detail::await_or_cancel(context, output, future);
        if (!value) return std::unexpected(std::move(value).error());
        if (context.done()) return std::unexpected(*context.error());
        const auto inner = std::exchange(fn, nullptr)(context, *std::move(value));
        return detail::await_or_cancel(context, output, inner);
      });
}

template <class U, class T>
Future<U> map(const Context& context, Future<T> future, std::type_identity_t<Fn<Result<U>(T)>> fn) {
  return detail::bridge<U>(
      [context, future, fn = std::move(fn)](const Context& output) mutable -> Result<U> {
        auto value = detail::await_or_cancel(context, output, future);
        if (!value) return std::unexpected(std::move(value).error());
        if (context.done()) return std::unexpected(*context.error());
        return std::exchange(fn, nullptr)(*std::move(value));
      });
}

template <class T>
Future<T> recover(const Context& context, Future<T> future,
                  std::type_identity_t<Fn<Result<T>(Error)>> fn) {
  return detail::bridge<T>(
      [context, future, fn = std::move(fn)](const Context& output) mutable -> Result<T> {
        auto value = detail::await_or_cancel(context, output, future);
        if (value) return value;
        if (context.done()) return std::unexpected(*context.error());
        return std::exchange(fn, nullptr)(std::move(value).error());
      });
}

}  // namespace futures
