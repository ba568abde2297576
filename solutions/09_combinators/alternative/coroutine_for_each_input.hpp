// Right: a little coroutine for each input awaits it by way of on_settled and books the outcome;
// the caller sleeps on a semaphore.
#pragma once

#include <coroutine>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <semaphore>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "future.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

namespace detail {

// What ends the waiting, apart from the context.
enum class Until { error, value, complete };

template <class T>
struct Harvest {
  std::vector<std::optional<Result<T>>> outcomes;
  std::optional<std::size_t> first_value{};  // in time, as the next
  std::optional<std::size_t> first_error{};
  std::size_t missing = outcomes.size();

  void add(std::size_t index, Result<T> outcome) {
    if (outcomes[index]) return;
    auto& first = outcome ? first_value : first_error;
    if (!first) first = index;
    outcomes[index].emplace(std::move(outcome));
    --missing;
  }

  bool complete() const { return missing == 0; }
  bool enough(Until until) const {
    return complete() || (until == Until::error && first_error) ||
           (until == Until::value && first_value);
  }
};

template <class T>
Result<T> copy_of(const Result<T>& outcome) {
  try {
    return outcome;
  } catch (...) {
    return std::unexpected(error_from_current_exception());
  }
}

template <class T>
Error every_failure(const std::vector<std::optional<Result<T>>>& outcomes, std::size_t earliest) {
  std::string message = "every one of " + std::to_string(outcomes.size()) + " failed";
  for (const auto& outcome : outcomes) {
    message += "; " + outcome->error().code.message() + ": " + outcome->error().message;
  }
  return {outcomes[earliest]->error().code, std::move(message)};
}

// Runs until its first wait, and goes on wherever it is resumed. Its frame goes with its end.
struct Listener {
  struct promise_type {
    Listener get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept {}
  };
};

// Only used during await_suspend(): the future belongs to the caller.
template <class T>
struct Settling {
  const Future<T>& future;
  std::optional<Result<T>> outcome{};

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> self) {
    // May resume, and end, the coroutine before it returns: nothing is touched after it.
    future.on_settled([this, self](const Result<T>& settled) {
      outcome.emplace(copy_of(settled));
      self.resume();
    });
  }
  Result<T> await_resume() { return *std::move(outcome); }
};

template <class T>
class Ledger {
 public:
  Ledger(std::size_t inputs, Until until)
      : until_(until), harvest_{std::vector<std::optional<Result<T>>>(inputs)} {
    if (harvest_.enough(until_)) wake_.release();
  }

  void book(std::size_t index, Result<T> outcome) {
    const std::lock_guard lock(mutex_);
    if (closed_ || harvest_.enough(until_)) return;
    harvest_.add(index, std::move(outcome));
    if (harvest_.enough(until_)) wake_.release();
  }

  // False: the context has ended and there is not enough.
  bool wait(const Context& context) {
    const std::stop_callback ended(context.stop_token(), [this] { wake_.release(); });
    wake_.acquire();
    const std::lock_guard lock(mutex_);
    return harvest_.enough(until_);
  }

  Harvest<T> close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    return std::move(harvest_);
  }

 private:
  const Until until_;
  std::mutex mutex_;
  std::counting_semaphore<2> wake_{0};  // once for "enough" and once for the context, at most
  Harvest<T> harvest_;                  // guarded by mutex_, as is closed_
  bool closed_ = false;
};

template <class T>
Listener listen(std::shared_ptr<Ledger<T>> ledger, std::size_t index, const Future<T>& future) {
  Settling<T> settling{future};
  Result<T> outcome = co_await settling;
  ledger->book(index, std::move(outcome));
}

template <class T>
Harvest<T> from_listeners(const Context& context, const std::vector<Future<T>>& futures,
                          Until until) {
  const auto ledger = std::make_shared<Ledger<T>>(futures.size(), until);
  for (std::size_t i = 0; i < futures.size(); ++i) listen(ledger, i, futures[i]);
  if (!ledger->wait(context)) {
    for (std::size_t i = 0; i < futures.size(); ++i) {
      if (!futures[i].settled()) continue;
      try {
        ledger->book(i, futures[i].await(context));
      } catch (...) {
        ledger->book(i, std::unexpected(error_from_current_exception()));
      }
    }
  }
  auto harvest = ledger->close();
  for (const auto& future : futures) future.cancel();
  return harvest;
}

}  // namespace detail

template <class T>
Result<std::vector<T>> all(const Context& context, std::vector<Future<T>> futures) {
  auto got = detail::from_listeners(context, futures, detail::Until::error);
  if (got.first_error) return std::unexpected(got.outcomes[*got.first_error]->error());
  if (!got.complete()) return std::unexpected(*context.error());
  std::vector<T> values;
  values.reserve(futures.size());
  for (auto& outcome : got.outcomes) values.push_back(**std::move(outcome));
  return values;
}

template <class T>
Result<T> first(const Context& context, std::vector<Future<T>> futures) {
  if (futures.empty()) {
    return std::unexpected(Error{Errc::invalid_argument, "first() has nothing to choose from"});
  }
  auto got = detail::from_listeners(context, futures, detail::Until::value);
  if (got.first_value) return *std::move(got.outcomes[*got.first_value]);
  if (!got.complete()) return std::unexpected(*context.error());
  return std::unexpected(detail::every_failure(got.outcomes, *got.first_error));
}

template <class T>
std::vector<Result<T>> wait_all(const Context& context, std::vector<Future<T>> futures) {
  auto got = detail::from_listeners(context, futures, detail::Until::complete);
  std::vector<Result<T>> results;
  results.reserve(futures.size());
  for (auto& outcome : got.outcomes) {
    results.push_back(outcome ? *std::move(outcome) : Result<T>(std::unexpected(*context.error())));
  }
  return results;
}

}  // namespace futures
