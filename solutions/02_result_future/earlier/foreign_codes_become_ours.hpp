// Wrong: the error is rebuilt with its code's number as an Errc, so the category is lost; bites
// when fn returns an error of another category (std::errc, std::io_errc).
#pragma once

#include <expected>
#include <string>
#include <utility>
#include <variant>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// What a producer ends with, before it is put into a Result.
struct Failure {
  Errc why;
  std::string text;
};

template <class T>
using Ending = std::variant<Result<T>, Failure>;

template <class T>
Ending<T> ending_of(Fn<Result<T>()>& fn) {
  try {
    Result<T> outcome = fn();
    if (outcome) return Ending<T>(std::in_place_index<0>, std::move(outcome));
    return Failure{static_cast<Errc>(outcome.error().code.value()),
                   std::move(outcome.error().message)};
  } catch (...) {
    return Failure{Errc::exception, error_from_current_exception().message};
  }
}

template <class T>
void deliver(const Sender<Result<T>>& sender, Fn<Result<T>()>& fn) {
  try {
    Ending<T> ending = ending_of(fn);
    if (auto* failure = std::get_if<1>(&ending)) {
      sender.send(std::unexpected(Error{failure->why, std::move(failure->text)}));
    } else {
      sender.send(std::get<0>(std::move(ending)));
    }
  } catch (...) {
    sender.send(std::unexpected(error_from_current_exception()));
  }
  sender.close();
}

}  // namespace detail

template <class T>
Receiver<Result<T>> async_result(Fn<Result<T>()> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  spawn([fn = std::move(fn), sender]() mutable { detail::deliver<T>(sender, fn); });
  return receiver;
}

}  // namespace futures
