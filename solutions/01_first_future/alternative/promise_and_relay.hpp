// Right: std::promise on the thread that computes; a second thread passes the result on.
#pragma once

#include <future>
#include <optional>
#include <thread>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"

namespace futures {

inline Receiver<int> async(Fn<int()> fn) {
  auto [sender, receiver] = make_channel<int>(3);

  // The outcome is an optional, not an exception: nothing but values crosses the threads.
  std::promise<std::optional<int>> outcome;
  auto settled = outcome.get_future();

  std::thread([fn = std::move(fn), outcome = std::move(outcome)]() mutable {
    std::optional<int> value;
    try {
      value = fn();
    } catch (...) {
      value.reset();
    }
    outcome.set_value(value);
  }).detach();

  std::thread([settled = std::move(settled), sender]() mutable {
    if (const auto value = settled.get()) sender.send(*value);
    sender.close();
  }).detach();

  return receiver;
}

}  // namespace futures
