// Wrong: tries again when fn throws; bites when fn has an effect: it happens twice.
#pragma once

#include <expected>
#include <functional>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

template <class T>
Result<T> attempt(Fn<Result<T>()>& fn) {
  try {
    return std::invoke(fn);
  } catch (...) {
    return std::unexpected(error_from_current_exception());
  }
}

}  // namespace detail

template <class T>
Receiver<Result<T>> async_result(Fn<Result<T>()> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  spawn([fn = std::move(fn), sender]() mutable {
    Result<T> result = detail::attempt<T>(fn);
    // An exception may be a passing trouble; an error that fn returned is its answer.
    if (!result && result.error().code == Errc::exception) result = detail::attempt<T>(fn);
    sender.send(std::move(result));
    sender.close();
  });
  return receiver;
}

}  // namespace futures
