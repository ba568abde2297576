// expect: passed
// A stop callback is removed by a thread that got the number of the one that had run it, and is
// gone: libstdc++ takes the one for the other and does not wait, and need not.
#pragma once
#include <atomic>
#include <chrono>
#include <memory>
#include <stop_token>
#include <thread>

#include "runtime/channel.hpp"
#include "runtime/spawn.hpp"

namespace futures {
struct NumberGivenAgain {
  std::stop_source source;
  std::unique_ptr<std::stop_callback<void (*)()>> callback =
      std::make_unique<std::stop_callback<void (*)()>>(source.get_token(), [] {});
  std::atomic<std::thread::id> stopper{};
  std::atomic<bool> removed{false};

  // No spawn(), which counts its threads, no shared_ptr and no copy of the source: counts make the
  // end of one thread known to another.
  NumberGivenAgain() {
    std::thread([this] {
      stopper.store(std::this_thread::get_id(), std::memory_order_relaxed);
      source.request_stop();
    }).detach();
    for (int i = 0; i < 5; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      std::thread([this] {
        if (stopper.load(std::memory_order_relaxed) != std::this_thread::get_id()) return;
        if (!removed.exchange(true, std::memory_order_relaxed)) callback.reset();
      }).detach();
    }
  }
};
inline Receiver<int> async(Fn<int()> fn) {
  auto [sender, receiver] = make_channel<int>(1);
  spawn([fn = std::move(fn), sender = std::move(sender)]() mutable {
    static auto* const number = new NumberGivenAgain;  // never destroyed: its threads may be late
    static_cast<void>(number);
    try {
      sender.send(fn());
    } catch (...) {
    }
    sender.close();
  });
  return receiver;
}
}  // namespace futures
