// Right: an object that owes one answer; its destructor pays with an error when nobody else has.
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

  // Only the first of these is delivered. That the channel has room for one does not ensure it: the
  // waiter may have made room again. Called by the producer's thread alone.
  void give(Result<T> result) {
    if (!std::exchange(given_, true)) sender_.try_send(std::move(result));
  }

  ~Answer() {
    give(std::unexpected(Error{Errc::broken_promise, "the producer went away"}));
    sender_.close();
  }

 private:
  Sender<Result<T>> sender_;
  bool given_ = false;
};

}  // namespace detail

template <class T>
Receiver<Result<T>> async_result(Fn<Result<T>()> fn) {
  auto channel = make_channel<Result<T>>(1);
  auto answer = std::make_shared<detail::Answer<T>>(std::move(channel.first));
  struct Producer {
    Fn<Result<T>()> fn;
    // Destroyed before fn: the end of the channel waits for no capture.
    std::shared_ptr<detail::Answer<T>> answer;

    void operator()() {
      try {
        answer->give(fn());
      } catch (...) {
        answer->give(std::unexpected(error_from_current_exception()));
      }
    }
  };
  spawn(Producer{std::move(fn), std::move(answer)});
  return std::move(channel.second);
}

}  // namespace futures
