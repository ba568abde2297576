// Wrong: catches std::exception and nothing else; bites when fn throws an int.
#pragma once

#include <exception>
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
    } catch (const std::exception& e) {
      sender.send(std::unexpected(Error{Errc::exception, e.what()}));
    }
    sender.close();
  });
  return receiver;
}

}  // namespace futures
