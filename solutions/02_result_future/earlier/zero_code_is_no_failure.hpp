// Wrong: whether there was a failure is told by its code; bites when fn returns an Error whose code
// is zero (a text alone, or Error{}): it is taken for "no failure", and the channel is closed
// without any message.
#pragma once

#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

template <class T>
Receiver<Result<T>> async_result(Fn<Result<T>()> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  spawn([fn = std::move(fn), sender]() mutable {
    Error failure;  // returned or thrown, it leaves in one place
    try {
      Result<T> result = fn();
      if (result) {
        sender.send(std::move(result));
      } else {
        failure = std::move(result).error();
      }
    } catch (...) {
      failure = error_from_current_exception();
    }
    if (failure.code) sender.send(std::unexpected(std::move(failure)));
    sender.close();
  });
  return receiver;
}

}  // namespace futures
