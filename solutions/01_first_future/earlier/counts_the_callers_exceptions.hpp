// Wrong: exceptions are counted on two threads; bites when started while one is on its way.
#pragma once

#include <exception>
#include <memory>
#include <utility>

#include "runtime/channel.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

namespace detail {

// What the producer owes its consumer. Paid when it goes out of scope: the value, unless an
// exception is the reason, and in any case the end of the channel.
class Delivery {
 public:
  explicit Delivery(Sender<int> out) : out_(std::move(out)) {}
  Delivery(const Delivery&) = delete;
  Delivery& operator=(const Delivery&) = delete;
  ~Delivery() {
    if (std::uncaught_exceptions() == exceptions_before_) out_.send(value_);
    out_.close();
  }

  void set(int value) { value_ = value; }

 private:
  Sender<int> out_;
  int value_ = 0;
  const int exceptions_before_ = std::uncaught_exceptions();
};

}  // namespace detail

// Starts fn on a thread of its own and returns at once; the result arrives in the returned channel.
inline Receiver<int> async(Fn<int()> fn) {
  // Room for the value, so that the producer never waits for a consumer.
  auto [sender, receiver] = make_channel<int>(1);
  auto delivery = std::make_unique<detail::Delivery>(std::move(sender));
  spawn([delivery = std::move(delivery), fn = std::move(fn)]() mutable {
    try {
      const auto due = std::move(delivery);  // ends with this block, thrown out of or not
      due->set(fn());
    } catch (...) {
    }
  });
  return receiver;
}

}  // namespace futures
