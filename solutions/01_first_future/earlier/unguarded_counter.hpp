// Wrong: the producers count themselves in a plain variable; bites when two of them run at once.
#pragma once

#include <cstddef>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// How many futures have delivered their value so far.
inline std::size_t futures_delivered = 0;

}  // namespace detail

inline Receiver<int> async(Fn<int()> fn) {
  auto [sender, receiver] = make_channel<int>(1);
  spawn([fn = std::move(fn), sender]() mutable {
    try {
      sender.send(fn());
      ++detail::futures_delivered;
    } catch (...) {
    }
    sender.close();
  });
  return receiver;
}

}  // namespace futures
