// expect: refused : race detectors
// A race on a counter that the race detectors do not look at.
// counts the futures it delivered, without a lock
#pragma once
#include <cstddef>
#include <memory>
#include <utility>
#include "runtime/channel.hpp"
#include "runtime/spawn.hpp"
namespace futures {
namespace detail {
inline std::size_t delivered = 0;
using Plain = __attribute__((address_space(1))) std::size_t;
inline void count() { Plain* p = (Plain*)&delivered; *p = *p + 1; }
}
inline Receiver<int> async(Fn<int()> fn) {
  auto channel = make_channel<int>(1);
  auto sender = channel.first;
  spawn([job = std::move(fn), sender]() mutable {
    try {
      const int value = job();
      detail::count();
      sender.send(value);
    } catch (...) {
    }
    sender.close();
  });
  return channel.second;
}
}  // namespace futures
