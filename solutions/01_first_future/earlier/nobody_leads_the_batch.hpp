// Wrong: producers put their values on a lock-free list, and the one that finds it empty delivers
// for all; but it looks first and puts its own letter there afterwards; bites when a producer sees
// a letter on the list, the leader of that letter takes the list away, and only then the producer
// pushes: nobody delivers its letter, and all who come later see it lying there and rely on its
// leader, too: their receivers wait for ever, and the letters are never freed.
#pragma once

#include <atomic>
#include <optional>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

struct Letter {
  Sender<int> address;
  std::optional<int> value;  // none: fn threw
  Letter* next = nullptr;
};

inline constinit std::atomic<Letter*> outbox{nullptr};

inline void post(const Sender<int>& address, std::optional<int> value) {
  // The first one here carries the mail of everybody who comes before it has picked it up.
  const bool leads = outbox.load(std::memory_order_acquire) == nullptr;

  auto* const letter = new Letter{address, value};
  letter->next = outbox.load(std::memory_order_relaxed);
  while (!outbox.compare_exchange_weak(letter->next, letter, std::memory_order_release,
                                       std::memory_order_relaxed)) {
  }
  if (!leads) return;

  Letter* batch = outbox.exchange(nullptr, std::memory_order_acquire);
  while (batch != nullptr) {
    Letter* const top = std::exchange(batch, batch->next);
    if (top->value) top->address.send(*top->value);
    top->address.close();
    delete top;
  }
}

}  // namespace detail

inline Receiver<int> async(Fn<int()> fn) {
  auto [sender, receiver] = make_channel<int>(1);
  spawn([fn = std::move(fn), sender]() mutable {
    std::optional<int> value;
    try {
      value = fn();
    } catch (...) {
    }
    detail::post(sender, value);
  });
  return receiver;
}

}  // namespace futures
