// Wrong: keeps what() of an exception that is gone; bites when an Error is made of it.
#pragma once

#include <exception>
#include <expected>
#include <optional>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

template <class T>
Receiver<Result<T>> async_result(Fn<Result<T>()> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  spawn([fn = std::move(fn), sender]() mutable {
    const char* what = "unknown exception";
    std::optional<Result<T>> result;
    try {
      result.emplace(fn());
    } catch (const std::exception& e) {
      what = e.what();
    } catch (...) {
    }
    // One place that sends, for values and errors alike.
    if (!result) result.emplace(std::unexpected(Error{Errc::exception, what}));
    sender.send(*std::move(result));
    sender.close();
  });
  return receiver;
}

}  // namespace futures
