// Wrong: errors travel in records of a fixed size, so that a text of more than 1024 characters is
// cut off; bites when fn returns an error with a long text (the output of a compiler, a stack
// trace).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <expected>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// What a producer reports: of one size, whatever went wrong, and made without asking for memory.
class CompactError {
 public:
  explicit CompactError(const Error& error)
      : code_(error.code), size_(std::min(error.message.size(), text_.size())) {
    std::copy_n(error.message.data(), size_, text_.data());
  }

  Error error() const { return Error{code_, std::string(text_.data(), size_)}; }

 private:
  std::error_code code_;
  std::array<char, 1024> text_{};
  std::size_t size_;
};

template <class T>
using Report = std::expected<T, CompactError>;

template <class T>
Report<T> report(Fn<Result<T>()>& fn) {
  try {
    Result<T> result = fn();
    if (!result) return Report<T>(std::unexpect, CompactError(result.error()));
    if constexpr (std::is_void_v<T>) {
      return Report<T>();
    } else {
      return Report<T>(std::in_place, *std::move(result));
    }
  } catch (...) {
    return Report<T>(std::unexpect, CompactError(error_from_current_exception()));
  }
}

template <class T>
Result<T> message(Report<T>&& report) {
  if (!report) return Result<T>(std::unexpect, report.error().error());
  if constexpr (std::is_void_v<T>) {
    return Result<T>();
  } else {
    return Result<T>(std::in_place, *std::move(report));
  }
}

}  // namespace detail

template <class T>
Receiver<Result<T>> async_result(Fn<Result<T>()> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  spawn([fn = std::move(fn), sender = std::move(sender)]() mutable {
    auto report = detail::report<T>(fn);
    try {
      sender.send(detail::message<T>(std::move(report)));
    } catch (...) {
      sender.send(Result<T>(std::unexpect, error_from_current_exception()));
    }
    sender.close();
    fn = nullptr;
  });
  return std::move(receiver);
}

}  // namespace futures
