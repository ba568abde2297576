// Right: async() starts no thread itself; a launcher, there only while there is something to start
// and a few looks longer, gives every function its thread, the last one first.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace first_future_detail {

struct Order {
  Fn<int()> fn;
  Sender<int> out;
  Order* next = nullptr;
};

struct Launcher {
  std::atomic<Order*> inbox{nullptr};  // a stack; taken as a whole, so no ABA
  std::atomic<bool> at_work{false};

  static Launcher& instance() {
    static auto* launcher = new Launcher;  // never destroyed: its thread may outlive main()
    return *launcher;
  }

  static void run(Order& order) {
    std::optional<int> value;
    try {
      value = order.fn();
    } catch (...) {
      order.out.close();
    }
    // A polite producer: it never blocks. There is room for one, so the first try succeeds.
    while (value && !order.out.try_send(*value)) std::this_thread::yield();
    order.out.close();
  }

  static void start(std::unique_ptr<Order> order) {
    const Sender<int> out = order->out;
    try {
      spawn([order = std::move(order)] { run(*order); });
    } catch (...) {
      out.close();  // no thread to be had
    }
  }

  void launch() {
    do {
      for (int idle = 0; idle < 50; ++idle) {  // some patience: more may come at once
        Order* order = inbox.exchange(nullptr);
        if (order) idle = 0;
        while (order) {
          std::unique_ptr<Order> mine(order);
          order = mine->next;
          start(std::move(mine));
        }
        std::this_thread::yield();
      }
      at_work.store(false);
      // Whoever put something in before it could see that must not be left alone.
    } while (inbox.load() && !at_work.exchange(true));
  }

  void submit(std::unique_ptr<Order> order) {
    order->next = inbox.load();
    Order* const raw = order.release();
    while (!inbox.compare_exchange_weak(raw->next, raw)) {
    }
    if (at_work.exchange(true)) return;
    try {
      spawn([this] { launch(); });
    } catch (...) {
      launch();
    }
  }
};

}  // namespace first_future_detail

inline Receiver<int> async(Fn<int()> fn) {
  using namespace first_future_detail;
  auto [out, in] = make_channel<int>(1);
  Launcher::instance().submit(std::make_unique<Order>(std::move(fn), out, nullptr));
  return in;
}

}  // namespace futures
