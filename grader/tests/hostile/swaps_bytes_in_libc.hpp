// expect: refused : swab
// A race on a counter, by a function that no race detector listens to.
// counts the futures it delivered, without a lock
#pragma once
#include <cstddef>
#include <memory>
#include <utility>
#include <unistd.h>
#include "runtime/channel.hpp"
#include "runtime/spawn.hpp"
namespace futures {
namespace detail {
inline std::size_t delivered = 0;

inline void count() { std::size_t copy = 0; ::swab(&delivered, &copy, sizeof copy); ++copy; ::swab(&copy, &delivered, sizeof copy); }
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
