// Wrong: swallows the exception; bites when fn throws: the channel has neither value nor error.
#pragma once

#include <expected>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

template <class T>
Receiver<Result<T>> async_result(Fn<Result<T>()> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  spawn([fn = std::move(fn), sender]() mutable {
    try {
      sender.send(fn());
    } catch (...) {
      // fn reports its errors as values; whatever else goes wrong ends here.
    }
    sender.close();
  });
  return receiver;
}

}  // namespace futures
