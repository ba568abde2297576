// Right: no mutex: each slot is an atomic pointer, the first of each kind is a compare-exchange,
// and the caller sleeps on an atomic counter.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
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

template <class T>
class Rack {
 public:
  explicit Rack(std::size_t inputs) : slots_(inputs), missing_(inputs) {}
  Rack(const Rack&) = delete;
  Rack& operator=(const Rack&) = delete;
  ~Rack() {
    for (auto& slot : slots_) dispose(slot.load());
  }

  void put(std::size_t index, Result<T> outcome) {
    auto mine = std::make_unique<Result<T>>(std::move(outcome));
    const bool is_value = mine->has_value();
    Result<T>* empty = nullptr;
    if (!slots_[index].compare_exchange_strong(empty, mine.get())) return;  // filled, or over
    (void)mine.release();
    std::size_t none = nobody;
    (is_value ? first_value_ : first_error_).compare_exchange_strong(none, index);
    missing_.fetch_sub(1);
    stir();
  }

  // Makes the caller look again.
  void stir() {
    changes_.fetch_add(1);
    changes_.notify_one();
  }

  void wait(const Context& context, Until until) {
    while (true) {
      const int seen = changes_.load();
      if (enough(until) || context.done()) return;
      changes_.wait(seen);
    }
  }

  bool enough(Until until) const {
    return missing_.load() == 0 || (until == Until::error && first_error_.load() != nobody) ||
           (until == Until::value && first_value_.load() != nobody);
  }

  // Everything that is there; what comes later finds its slot taken.
  Harvest<T> close() {
    Harvest<T> harvest{std::vector<std::optional<Result<T>>>(slots_.size())};
    const std::size_t value = first_value_.load();
    const std::size_t error = first_error_.load();
    // The first ones first: the harvest goes by the order in which it is told.
    for (const std::size_t i : {value, error}) {
      if (i != nobody) take(i, harvest);
    }
    for (std::size_t i = 0; i < slots_.size(); ++i) take(i, harvest);
    return harvest;
  }

 private:
  static constexpr auto nobody = static_cast<std::size_t>(-1);

  // Stands in a slot that was emptied for good; nobody looks into it.
  Result<T>* over() { return &over_; }

  void dispose(Result<T>* outcome) {
    if (outcome != over()) delete outcome;
  }

  void take(std::size_t i, Harvest<T>& harvest) {
    Result<T>* const taken = slots_[i].exchange(over());
    if (taken == over() || !taken) return;
    const std::unique_ptr<Result<T>> outcome(taken);
    harvest.add(i, std::move(*outcome));
  }

  Result<T> over_{std::unexpect};
  std::vector<std::atomic<Result<T>*>> slots_;
  std::atomic<std::size_t> missing_;
  std::atomic<std::size_t> first_value_{nobody};
  std::atomic<std::size_t> first_error_{nobody};
  std::atomic<int> changes_{0};
};

template <class T>
Harvest<T> from_rack(const Context& context, const std::vector<Future<T>>& futures, Until until) {
  const auto rack = std::make_shared<Rack<T>>(futures.size());
  for (std::size_t i = 0; i < futures.size(); ++i) {
    futures[i].on_settled([rack, i](const Result<T>& outcome) { rack->put(i, copy_of(outcome)); });
  }
  {
    const std::stop_callback ended(context.stop_token(), [&] { rack->stir(); });
    rack->wait(context, until);
  }
  if (!rack->enough(until)) {
    for (std::size_t i = 0; i < futures.size(); ++i) {
      if (!futures[i].settled()) continue;
      try {
        rack->put(i, futures[i].await(context));
      } catch (...) {
        rack->put(i, std::unexpected(error_from_current_exception()));
      }
    }
  }
  auto harvest = rack->close();
  for (const auto& future : futures) future.cancel();
  return harvest;
}

}  // namespace detail

template <class T>
Result<std::vector<T>> all(const Context& context, std::vector<Future<T>> futures) {
  auto got = detail::from_rack(context, futures, detail::Until::error);
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
  auto got = detail::from_rack(context, futures, detail::Until::value);
  if (got.first_value) return *std::move(got.outcomes[*got.first_value]);
  if (!got.complete()) return std::unexpected(*context.error());
  return std::unexpected(detail::every_failure(got.outcomes, *got.first_error));
}

template <class T>
std::vector<Result<T>> wait_all(const Context& context, std::vector<Future<T>> futures) {
  auto got = detail::from_rack(context, futures, detail::Until::complete);
  std::vector<Result<T>> results;
  results.reserve(futures.size());
  for (auto& outcome : got.outcomes) {
    results.push_back(outcome ? *std::move(outcome) : Result<T>(std::unexpected(*context.error())));
  }
  return results;
}

}  // namespace futures
