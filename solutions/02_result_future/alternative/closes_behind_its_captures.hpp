// Right: the channel is closed once fn is destroyed, by a member that outlives it.
#pragma once

#include <exception>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

template <class T>
class ResultProducer {
 public:
  ResultProducer(Sender<Result<T>> out, Fn<Result<T>()> fn)
      : closer_(out), out_(std::move(out)), fn_(std::move(fn)) {}

  void operator()() {
    try {
      out_.send(fn_());
    } catch (...) {
      out_.send(std::unexpected(describe()));
    }
  }

 private:
  // Closes the channel whatever happens: on every way out of the producer.
  class Closer {
   public:
    explicit Closer(Sender<Result<T>> out) : out_(std::move(out)) {}
    Closer(Closer&& other) noexcept
        : out_(other.out_), armed_(std::exchange(other.armed_, false)) {}
    Closer& operator=(Closer&&) = delete;
    ~Closer() {
      if (armed_) out_.close();
    }

   private:
    Sender<Result<T>> out_;
    bool armed_ = true;
  };

  // what() may return anything, even a null pointer.
  static Error describe() {
    try {
      return error_from_current_exception();
    } catch (...) {
      return Error{Errc::exception, "an exception that can't be described"};
    }
  }

  Closer closer_;
  Sender<Result<T>> out_;
  Fn<Result<T>()> fn_;
};

}  // namespace detail

template <class T>
Receiver<Result<T>> async_result(Fn<Result<T>()> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  spawn(detail::ResultProducer<T>(std::move(sender), std::move(fn)));
  return receiver;
}

}  // namespace futures
