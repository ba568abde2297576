// Right: no mutex. The state is claimed by compare-exchange; awaiters sleep on an atomic counter
// that goes up when the promise settles and when anybody's context ends. The state is shared, so
// that whoever still notifies keeps it alive.
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
    const std::stop_callback wake_me(context.stop_token(), [state] { state->advance(); });
    while (true) {
      const auto epoch = state->epoch.load();
      // The context first, the result second: a result that came before the end of the context is
      // then always seen.
      const bool ended = context.done();
      if (state->ready.load()) return *state->result;
      if (ended) return std::unexpected(*context.error());
      state->epoch.wait(epoch);
    }
  }

  bool settled() const { return state_->ready.load(); }

 private:
  struct State {
    std::atomic<bool> claimed{false};
    std::atomic<bool> ready{false};
    std::atomic<std::uint32_t> epoch{0};
    std::optional<Result<T>> result;  // written by the claimer before ready; constant afterwards

    void advance() {
      epoch.fetch_add(1);
      epoch.notify_all();
    }
  };

  bool settle(Result<T> result) {
    const std::shared_ptr<State> state = state_;
    if (state->claimed.exchange(true)) return false;
    state->result.emplace(std::move(result));
    state->ready.store(true);
    state->advance();
    return true;
  }

  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace futures
