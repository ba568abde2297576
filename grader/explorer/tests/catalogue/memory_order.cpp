// Data races, and atomics with an order that is too weak.
#include <atomic>
#include <mutex>
#include <thread>

#include "case.hpp"

namespace catalogue {
namespace {

template <Version version>
void plain_counter() {
  int counter = 0;
  std::mutex mutex;
  auto add = [&] {
    if constexpr (version == Version::flawed) {
      ++counter;
    } else {
      std::lock_guard lock(mutex);
      ++counter;
    }
  };
  std::thread first(add), second(add);
  first.join();
  second.join();
  CHECK(counter == 2);
}
CATALOGUE_CASE(plain_counter, "two threads count in a plain int");

template <Version version>
inline constexpr auto publishing =
    version == Version::flawed ? std::memory_order_relaxed : std::memory_order_release;
template <Version version>
inline constexpr auto observing =
    version == Version::flawed ? std::memory_order_relaxed : std::memory_order_acquire;

template <Version version>
void relaxed_publication() {
  int data = 0;
  std::atomic<bool> ready{false};
  std::thread writer([&] {
    data = 42;
    ready.store(true, publishing<version>);
  });
  if (ready.load(observing<version>)) CHECK(data == 42);
  writer.join();
}
CATALOGUE_CASE(relaxed_publication,
               "published with relaxed order: a race, though only when the reader sees the flag");

template <Version version>
void store_buffering() {
  constexpr auto order =
      version == Version::flawed ? std::memory_order_relaxed : std::memory_order_seq_cst;
  std::atomic<int> x{0}, y{0};
  int seen_y = -1, seen_x = -1;
  std::thread first([&] {
    x.store(1, order);
    seen_y = y.load(order);
  });
  std::thread second([&] {
    y.store(1, order);
    seen_x = x.load(order);
  });
  first.join();
  second.join();
  CHECK(seen_y == 1 || seen_x == 1);
}
CATALOGUE_CASE(store_buffering,
               "each stores, then looks for the other: without sequential consistency both may "
               "look too early");

template <Version version>
void weak_message_passing() {
  std::atomic<int> data{0}, ready{0};
  std::thread writer([&] {
    data.store(42, std::memory_order_relaxed);
    ready.store(1, publishing<version>);
  });
  if (ready.load(observing<version>)) CHECK(data.load(std::memory_order_relaxed) == 42);
  writer.join();
}
CATALOGUE_CASE(weak_message_passing,
               "no race, both are atomic, but nothing orders the data before the flag");

}  // namespace
}  // namespace catalogue
