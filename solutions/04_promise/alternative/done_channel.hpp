// Right: the Go way. A channel that nobody sends to is closed when the result is there; closing is
// a broadcast.
#pragma once

#include <mutex>
#include <optional>
#include <utility>
#include <variant>

#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

template <class T>
class Promise {
 public:
  Promise() : Promise(make_channel<std::monostate>(0)) {}
  Promise(const Promise&) = delete;
  Promise& operator=(const Promise&) = delete;

  bool resolve(T value) {
    return settle([&] { result_.emplace(std::in_place, std::move(value)); });
  }
  bool reject(Error error) {
    return settle([&] { result_.emplace(std::unexpect, std::move(error)); });
  }

  Result<T> await(const Context& context) const {
    auto done = done_receiver_;
    const auto message = done.receive(context);
    if (!settled()) return std::unexpected(message.error());
    // The result was written before, and settle() is over once the lock can be had.
    const std::lock_guard lock(mutex_);
    return *result_;
  }

  bool settled() const { return done_receiver_.closed(); }

 private:
  explicit Promise(std::pair<Sender<std::monostate>, Receiver<std::monostate>> done)
      : done_sender_(std::move(done.first)), done_receiver_(std::move(done.second)) {}

  template <class Write>
  bool settle(Write write) {
    const std::lock_guard lock(mutex_);
    if (result_) return false;
    write();
    done_sender_.close();
    return true;
  }

  mutable std::mutex mutex_;
  std::optional<Result<T>> result_;
  Sender<std::monostate> done_sender_;
  Receiver<std::monostate> done_receiver_;
};

}  // namespace futures
