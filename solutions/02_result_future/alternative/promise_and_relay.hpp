// Right: std::promise on the thread that computes; a second thread passes the result on.
#pragma once

#include <expected>
#include <functional>
#include <future>
#include <thread>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"

namespace futures {

namespace detail {

template <class T>
Result<T> outcome_of(Fn<Result<T>()>& fn) {
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
  std::promise<Result<T>> promise;
  auto outcome = promise.get_future();

  std::thread([fn = std::move(fn), promise = std::move(promise)]() mutable {
    promise.set_value(detail::outcome_of<T>(fn));
  }).detach();

  std::thread([outcome = std::move(outcome), sender]() mutable {
    sender.try_send(outcome.get());
    sender.close();
  }).detach();

  return receiver;
}

}  // namespace futures
