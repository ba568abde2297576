// Wrong: sets the flag before it writes the result; bites when the relay wakes between the two.
#pragma once

#include <atomic>
#include <expected>
#include <memory>
#include <optional>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

template <class T>
struct Slot {
  std::optional<Result<T>> result;
  std::atomic<bool> ready{false};
};

}  // namespace detail

template <class T>
Receiver<Result<T>> async_result(Fn<Result<T>()> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  auto slot = std::make_shared<detail::Slot<T>>();

  spawn([fn = std::move(fn), slot]() mutable {
    try {
      Result<T> result = fn();
      slot->ready.store(true);
      slot->result.emplace(std::move(result));
    } catch (...) {
      slot->ready.store(true);
      slot->result.emplace(std::unexpected(error_from_current_exception()));
    }
    slot->ready.notify_all();
  });

  spawn([slot, sender]() mutable {
    slot->ready.wait(false);
    if (slot->result) {
      sender.send(*std::move(slot->result));
    } else {
      sender.send(std::unexpected(Error{Errc::broken_promise, "the producer left no result"}));
    }
    sender.close();
  });
  return receiver;
}

}  // namespace futures
