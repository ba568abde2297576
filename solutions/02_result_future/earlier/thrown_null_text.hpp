// Wrong: makes a string of any thrown const char*; bites when fn throws a null one: no message is
// ever sent.
#pragma once

#include <string>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// Like error_from_current_exception(), but keeps the text of what is no std::exception as well.
inline Error error_with_text() {
  try {
    throw;
  } catch (const std::string& text) {
    return Error{Errc::exception, text};
  } catch (const char* text) {
    return Error{Errc::exception, text};
  } catch (...) {
    return error_from_current_exception();
  }
}

}  // namespace detail

template <class T>
Receiver<Result<T>> async_result(Fn<Result<T>()> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  spawn([sender, fn = std::move(fn)]() mutable {
    try {
      sender.send(fn());
    } catch (...) {
      sender.send(std::unexpected(detail::error_with_text()));
    }
    sender.close();
  });
  return receiver;
}

}  // namespace futures
