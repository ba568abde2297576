// Wrong: trusts the full channel to refuse a second message; bites when the first is taken early.
#pragma once

#include <expected>
#include <memory>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

template <class T>
class Answer {
 public:
  explicit Answer(Sender<Result<T>> sender) : sender_(std::move(sender)) {}
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;

  // With room for one message, only the first of these is delivered.
  void give(Result<T> result) { sender_.try_send(std::move(result)); }

  ~Answer() {
    give(std::unexpected(Error{Errc::broken_promise, "the producer went away"}));
    sender_.close();
  }

 private:
  Sender<Result<T>> sender_;
};

}  // namespace detail

template <class T>
Receiver<Result<T>> async_result(Fn<Result<T>()> fn) {
  auto channel = make_channel<Result<T>>(1);
  auto answer = std::make_shared<detail::Answer<T>>(std::move(channel.first));
  struct Producer {
    std::shared_ptr<detail::Answer<T>> answer;
    Fn<Result<T>()> fn;

    void operator()() {
      try {
        answer->give(fn());
      } catch (...) {
        answer->give(std::unexpected(error_from_current_exception()));
      }
    }
  };
  spawn(Producer{std::move(answer), std::move(fn)});
  return std::move(channel.second);
}

}  // namespace futures
