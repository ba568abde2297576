// Right: a thrown std::system_error keeps the code that it brings, as the contract leaves open.
#pragma once

#include <expected>
#include <system_error>
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
    } catch (const std::system_error& e) {
      // It already says why, in the very type that Error has for it.
      sender.send(std::unexpected(Error{e.code(), e.what()}));
    } catch (...) {
      sender.send(std::unexpected(error_from_current_exception()));
    }
    sender.close();
  });
  return receiver;
}

}  // namespace futures
