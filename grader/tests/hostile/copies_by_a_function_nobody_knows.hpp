// expect: refused : does not know
// A race on a counter, by a function that no list has.
// counts the futures it delivered, without a lock
#pragma once
#include <cstddef>
#include <memory>
#include <utility>
#include <wchar.h>

#include "runtime/channel.hpp"
#include "runtime/spawn.hpp"
namespace futures {
namespace detail {
inline std::size_t delivered = 0;

inline void count() {
  std::size_t copy = 0;
  ::wmempcpy(reinterpret_cast<wchar_t*>(&copy), reinterpret_cast<wchar_t*>(&delivered), 2);
  ++copy;
  ::wmempcpy(reinterpret_cast<wchar_t*>(&delivered), reinterpret_cast<wchar_t*>(&copy), 2);
}
}  // namespace detail
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
