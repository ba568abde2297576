// Right: no lock and no atomic of its own. Two std::stop_sources: the first one's request_stop(),
// which is true for one caller only, elects the winner; the second one's says that the result is
// there and, by its callbacks, rings the bell of every awaiter. Whoever settles holds a copy of the
// second, so it may run on when the promise is gone.
#pragma once

#include <memory>
#include <semaphore>
#include <stop_token>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

template <class T>
class Promise {
 public:
  Promise() = default;
  Promise(const Promise&) = delete;
  Promise& operator=(const Promise&) = delete;

  // The result is built before anybody is elected, so that what T throws spoils nothing.
  bool resolve(T value) {
    return settle(std::make_unique<const Result<T>>(std::in_place, std::move(value)));
  }

  bool reject(Error error) {
    return settle(std::make_unique<const Result<T>>(std::unexpect, std::move(error)));
  }

  Result<T> await(const Context& context) const {
    wait_for_either(there_.get_token(), context.stop_token());
    if (there_.stop_requested()) return *result_;
    return std::unexpected(*context.error());
  }

  bool settled() const { return there_.stop_requested(); }

 private:
  static void wait_for_either(const std::stop_token& one, const std::stop_token& other) {
    std::counting_semaphore<2> bell(0);  // each of them rings once at most
    const auto ring = [&bell] { bell.release(); };
    // Going away, they wait for whoever is ringing at that moment.
    const std::stop_callback at_one(one, ring);
    const std::stop_callback at_other(other, ring);
    bell.acquire();
  }

  bool settle(std::unique_ptr<const Result<T>> mine) {
    std::stop_source there = there_;
    if (!taken_.request_stop()) {
      // "It was settled before" shall be true when we say so: the winner has two lines to go.
      wait_for_either(there.get_token(), std::stop_token());
      return false;
    }
    result_ = std::move(mine);
    there.request_stop();  // from here on the promise may be gone
    return true;
  }

  std::stop_source taken_;
  std::stop_source there_;
  std::unique_ptr<const Result<T>>
      result_;  // the winner writes it, then stops there_; constant after it
};

}  // namespace futures
