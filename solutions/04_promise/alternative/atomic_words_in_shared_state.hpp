// Right: no mutex, no condition variable: two atomic words, wait() and notify(), in a state that
// whoever settles holds on to.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
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

  bool resolve(T value) { return settle(Result<T>(std::in_place, std::move(value))); }
  bool reject(Error error) { return settle(Result<T>(std::unexpect, std::move(error))); }

  Result<T> await(const Context& context) const {
    const std::shared_ptr<State> state = state_;
    if (!state->there()) {
      const std::stop_callback on_stop(context.stop_token(), [&state] { state->ring(); });
      while (true) {
        // The bell is read before the two things it rings for: who rings after this wakes us.
        const std::uint32_t heard = state->bell.load();
        if (state->there()) break;
        if (const auto ended = context.error()) {
          if (state->there()) break;
          return std::unexpected(*ended);
        }
        state->bell.wait(heard);
      }
    }
    return *state->result;
  }

  bool settled() const { return state_->there(); }

 private:
  enum Phase : std::uint32_t { empty, writing, written };

  struct State {
    bool there() const { return phase.load() == written; }
    void ring() {
      bell.fetch_add(1);
      bell.notify_all();
    }

    std::atomic<std::uint32_t> phase{empty};
    std::atomic<std::uint32_t> bell{0};
    std::optional<Result<T>> result;  // belongs to whoever made it `writing`; constant once written
  };

  bool settle(Result<T> outcome) {
    // An awaiter may destroy the promise before the notification: it works on a share of its own.
    const std::shared_ptr<State> state = state_;
    std::uint32_t seen = empty;
    while (!state->phase.compare_exchange_strong(seen, writing)) {
      if (seen == written) return false;
      state->phase.wait(writing);  // somebody else's value is being moved in: not settled yet
      seen = empty;
    }
    try {
      state->result.emplace(std::move(outcome));
    } catch (...) {  // moving a T failed: as if nobody had called
      state->phase.store(empty);
      state->phase.notify_all();
      throw;
    }
    state->phase.store(written);
    state->phase.notify_all();
    state->ring();
    return true;
  }

  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace futures
