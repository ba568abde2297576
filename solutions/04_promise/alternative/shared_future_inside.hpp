// Right: std::promise and std::shared_future do the work. They know no contexts, so an awaiter
// looks up from its wait once a millisecond.
#pragma once

#include <chrono>
#include <future>
#include <memory>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

template <class T>
class Promise {
 public:
  Promise() : promise_(std::make_shared<Inner>()), future_(promise_->get_future().share()) {}
  Promise(const Promise&) = delete;
  Promise& operator=(const Promise&) = delete;

  bool resolve(T value) { return settle(Result<T>(std::in_place, std::move(value))); }
  bool reject(Error error) { return settle(Result<T>(std::unexpect, std::move(error))); }

  Result<T> await(const Context& context) const {
    const auto future = future_;
    while (true) {
      const bool ended = context.done();
      const auto status = future.wait_for(std::chrono::milliseconds(ended ? 0 : 1));
      if (status == std::future_status::ready) return future.get();
      if (ended) return std::unexpected(*context.error());
    }
  }

  bool settled() const {
    return future_.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }

 private:
  using Inner = std::promise<Result<T>>;

  bool settle(Result<T> result) {
    const auto promise = promise_;  // ours to keep: the awaiter may destroy the other one
    try {
      promise->set_value(std::move(result));
      return true;
    } catch (const std::future_error&) {
      return false;
    }
  }

  std::shared_ptr<Inner> promise_;
  std::shared_future<Result<T>> future_;
};

}  // namespace futures
