// Right: written to shared memory, then published to a second thread by an atomic flag.
#pragma once

#include <atomic>
#include <expected>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

template <class T>
struct Slot {
  std::optional<Result<T>> result;  // belongs to the producer until `ready`, then to the relay
  std::atomic<bool> ready{false};
};

}  // namespace detail

template <class T>
Receiver<Result<T>> async_result(Fn<Result<T>()> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  auto slot = std::make_shared<detail::Slot<T>>();

  spawn([fn = std::move(fn), slot]() mutable {
    try {
      slot->result.emplace(fn());
    } catch (...) {
      slot->result.emplace(std::unexpected(error_from_current_exception()));
    }
    slot->ready.store(true, std::memory_order_release);
    slot->ready.notify_all();
  });

  spawn([slot, sender]() mutable {
    slot->ready.wait(false, std::memory_order_acquire);
    sender.send(*std::move(slot->result));
    sender.close();
  });
  return receiver;
}

}  // namespace futures
