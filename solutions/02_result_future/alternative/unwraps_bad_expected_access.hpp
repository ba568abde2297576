// Right: of what std::expected::value() throws, the error inside is reported.
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
  spawn([sender = sender, fn = std::move(fn)]() mutable {
    try {
      sender.send(fn());
    } catch (const std::bad_expected_access<Error>& failed) {
      sender.send(
          std::unexpected(failed.error()));  // somebody called value(): keep the true reason
    } catch (...) {
      sender.send(std::unexpected(error_from_current_exception()));
    }
    sender.close();
  });
  return receiver;
}

}  // namespace futures
