// Wrong: INT_MIN stands for "no value" inside; bites when fn returns INT_MIN: the channel is closed
// without it.
#pragma once

#include <limits>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

inline constexpr int no_value = std::numeric_limits<int>::min();

inline int value_or_none(Fn<int()> fn) noexcept {
  try {
    return fn();
  } catch (...) {
    return no_value;
  }
}

}  // namespace detail

inline Receiver<int> async(Fn<int()> fn) {
  auto [sender, receiver] = make_channel<int>(1);
  spawn([fn = std::move(fn), sender]() mutable {
    const int value = detail::value_or_none(std::move(fn));
    if (value != detail::no_value) sender.send(value);
    sender.close();
  });
  return receiver;
}

}  // namespace futures
