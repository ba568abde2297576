// Right: one thread computes into shared memory, another delivers; await tries before it waits.
#pragma once

#include <condition_variable>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

template <class T>
struct Outcome {
  std::mutex mutex;
  std::condition_variable settled;
  std::optional<Result<T>> result;  // guarded by mutex
};

template <class T>
Result<T> outcome_of(const Context& ctx, Fn<Result<T>(const Context&)>& fn) {
  try {
    return fn(ctx);
  } catch (...) {
    return std::unexpected(error_from_current_exception());
  }
}

}  // namespace detail

template <class T>
Receiver<Result<T>> async_with_context(Context ctx, Fn<Result<T>(const Context&)> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(2);
  auto outcome = std::make_shared<detail::Outcome<T>>();

  spawn([ctx = std::move(ctx), fn = std::move(fn), outcome]() mutable {
    Result<T> result = detail::outcome_of<T>(ctx, fn);
    const std::lock_guard lock(outcome->mutex);
    outcome->result.emplace(std::move(result));
    outcome->settled.notify_one();
  });

  spawn([outcome, sender]() mutable {
    std::unique_lock lock(outcome->mutex);
    outcome->settled.wait(lock, [&] { return outcome->result.has_value(); });
    sender.send(*std::exchange(outcome->result, std::nullopt));
    sender.close();
  });
  return receiver;
}

template <class T>
Result<T> await(const Context& ctx, Receiver<Result<T>>& future) {
  if (auto there = future.try_receive()) return *std::move(there);
  auto message = future.receive(ctx);
  return message ? *std::move(message) : Result<T>(std::unexpected(std::move(message).error()));
}

}  // namespace futures
