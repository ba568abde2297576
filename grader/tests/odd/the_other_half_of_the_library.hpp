// expect: passed
// Locks of every kind, futures of the library's own, atomics of all sizes, fmt, and what C++23 has
// brought.
#pragma once
#include <atomic>
#include <cassert>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <fmt/format.h>
#include <functional>
#include <future>
#include <iostream>
#include <iterator>
#include <limits>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <scoped_allocator>
#include <shared_mutex>
#include <spanstream>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <syncstream>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "runtime/channel.hpp"
#include "runtime/spawn.hpp"

namespace futures {

struct Tagged {
  void* pointer = nullptr;
  std::uintptr_t version = 0;
};

struct alignas(std::hardware_destructive_interference_size) Counters {
  std::atomic<double> sum = 0;
  std::atomic<std::uint8_t> small = 0;
  std::atomic_flag flag;
  [[no_unique_address]] std::allocator<int> allocator;
  template <class Self>
  auto& again(this Self&& self) {
    return self;
  }
  int operator[](int a, int b) const { return a + b; }
};

// Nothing of it matters to the result; all of it has to link and to be let through.
inline std::string more_small_talk() {
  std::timed_mutex timed;
  std::recursive_timed_mutex recursive;
  std::shared_timed_mutex shared;
  std::recursive_mutex again;
  {
    const std::scoped_lock both(timed, recursive);
    std::unique_lock late(shared, std::defer_lock);
    static_cast<void>(late.try_lock_for(std::chrono::microseconds(1)));
    const std::unique_lock owner(again, std::try_to_lock);
  }
  std::atomic<Tagged> top;
  auto old = top.load();
  while (!top.compare_exchange_weak(old, Tagged{&top, old.version + 1})) {
  }
  std::atomic<std::shared_ptr<int>> shelf(std::make_shared<int>(1));
  std::atomic<std::weak_ptr<int>> weak(shelf.load());
  Counters counters;
  counters.again().sum.fetch_add(0.5);
  counters.flag.test_and_set();
  counters.flag.notify_all();
  int plain = counters[1, 2];
  std::atomic_ref(plain).fetch_add(1, std::memory_order_acq_rel);

  std::packaged_task<int()> task([] { return 1; });
  auto asked = task.get_future();
  task();
  std::promise<int> promise;
  auto promised = promise.get_future().share();
  promise.set_value_at_thread_exit(2);
  auto deferred = std::async(std::launch::deferred, [] { return 3; });
  auto started = std::async(std::launch::async, [] { return 4; });
  std::move_only_function<int(int) const noexcept> half =
      std::bind_front([](int a, int b) noexcept { return a / b; }, 8);
  try {
    try {
      throw std::logic_error("inner");
    } catch (...) {
      std::throw_with_nested(std::runtime_error("outer"));
    }
  } catch (const std::exception& error) {
    try {
      std::rethrow_if_nested(error);
    } catch (const std::logic_error&) {
      assert(std::uncaught_exceptions() == 0);
    }
  }
  std::osyncstream(std::cout) << "";
  char room[32] = {};
  std::ospanstream in_place(room);
  in_place << std::to_underlying(std::memory_order_relaxed) << std::string("ab").contains('b');
  if consteval {
    return {};
  }
  return fmt::format("{:>4} {} {} {} {}", asked.get(), deferred.get(), started.get(), half(2),
                     std::launder(room)) +
         std::to_string(std::thread::hardware_concurrency()) +
         std::to_string(std::numeric_limits<double>::digits) + *auto(std::optional("x"));
}

struct Job {
  Fn<int()> fn;
  Sender<int> sender;
};

// The thread hears of its job by nothing but an atomic of 16 bytes.
[[nodiscard]] inline Receiver<int> async(Fn<int()> fn) {
  auto [sender, receiver] = make_channel<int>(1);
  const auto box = std::make_shared<std::atomic<Tagged>>();
  std::jthread relay([box](const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait_for(lock, stop, std::chrono::microseconds(10), [] { return false; });
    Tagged seen;
    while (seen.pointer == nullptr) {
      std::this_thread::yield();
      seen = box->load(std::memory_order_acquire);
    }
    const std::unique_ptr<Job> job(static_cast<Job*>(seen.pointer));
    try {
      job->sender.send(std::exchange(job->fn, nullptr)());
    } catch (...) {
      if (std::this_thread::get_id() == std::thread::id()) more_small_talk();
    }
    job->sender.close();
  });
  relay.detach();
  box->store(Tagged{new Job{std::move(fn), std::move(sender)}, 1}, std::memory_order_release);
  return receiver;
}

}  // namespace futures
