// Right: an exception is the only way out. What fn returned is put into a parcel and thrown, what
// it threw is turned into a parcel and thrown again; the one handler at the end of the line knows
// only parcels. None leaves its thread.
#pragma once

#include <memory>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// What is thrown has to be copyable, and a Result<T> need not be.
template <class T>
struct Parcel {
  std::shared_ptr<Result<T>> content;
};

template <class T>
[[noreturn]] void throw_parcel(auto&&... content) {
  throw Parcel<T>{std::make_shared<Result<T>>(std::forward<decltype(content)>(content)...)};
}

template <class T>
[[noreturn]] void throw_whatever_it_says(Fn<Result<T>()>& fn) {
  try {
    throw_parcel<T>(fn());
  } catch (const Parcel<T>&) {
    throw;
  } catch (...) {
    throw_parcel<T>(std::unexpect, error_from_current_exception());
  }
}

template <class T>
void deliver(const Sender<Result<T>>& sender, const Parcel<T>& parcel) {
  try {
    sender.send(std::move(*parcel.content));
  } catch (...) {  // T did not survive the move; then nothing has been sent
    sender.send(Result<T>(std::unexpect, error_from_current_exception()));
  }
  sender.close();
}

}  // namespace detail

template <class T>
Receiver<Result<T>> async_result(Fn<Result<T>()> fn) {
  auto [sender, receiver] = make_channel<Result<T>>(1);
  spawn([fn = std::move(fn), sender]() mutable {
    try {
      detail::throw_whatever_it_says<T>(fn);
    } catch (const detail::Parcel<T>& parcel) {
      detail::deliver(sender, parcel);
    }
  });
  return receiver;
}

}  // namespace futures
