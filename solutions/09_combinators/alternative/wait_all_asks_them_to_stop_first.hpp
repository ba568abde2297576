// Right: wait_all keeps what an input answers on the spot when it is told to stop.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "future.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

namespace detail {

// What has come in so far; slot i belongs to input i. "First" is first in time.
template <class T>
struct Tally {
  std::vector<std::optional<Result<T>>> outcomes;
  std::size_t missing;
  std::optional<std::size_t> first_value{};
  std::optional<std::size_t> first_error{};
};

// Where the callbacks of the inputs meet the one thread that waits. The callbacks own it together
// with that thread: those of inputs that were given up come when nobody waits any more.
template <class T>
class Gathering {
 public:
  using Enough = bool (*)(const Tally<T>&);

  Gathering(std::size_t inputs, Enough enough)
      : enough_(enough), tally_{std::vector<std::optional<Result<T>>>(inputs), inputs} {}

  void arrive(std::size_t index, Result<T> outcome) {
    const std::lock_guard lock(mutex_);
    if (closed_ || tally_.outcomes[index]) return;
    auto& first = outcome ? tally_.first_value : tally_.first_error;
    if (!first) first = index;
    tally_.outcomes[index].emplace(std::move(outcome));
    --tally_.missing;
    if (enough_(tally_)) changed_.notify_one();
  }

  // Whether enough has come in; false when the context ended before.
  bool wait(const Context& context) {
    std::unique_lock lock(mutex_);
    return changed_.wait(lock, context.stop_token(), [this] { return enough_(tally_); });
  }

  // Takes everything along; who comes later comes for nothing.
  Tally<T> close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    return std::move(tally_);
  }

 private:
  const Enough enough_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  Tally<T> tally_;  // guarded by mutex_, as is closed_
  bool closed_ = false;
};

// A T whose copy throws is an error of its input. Let out of the callback, the exception would be
// lost, and the input would count as missing for ever.
template <class T>
Result<T> copy_of(const Result<T>& outcome) {
  try {
    return outcome;
  } catch (...) {
    return std::unexpected(error_from_current_exception());
  }
}

// Waits until there is enough or the context has ended, then asks the producers of whatever is
// still pending to stop.
template <class T>
Tally<T> gather(const Context& context, const std::vector<Future<T>>& futures,
                typename Gathering<T>::Enough enough, bool all_matter = false) {
  const auto gathering = std::make_shared<Gathering<T>>(futures.size(), enough);
  for (std::size_t i = 0; i < futures.size(); ++i) {
    futures[i].on_settled(
        [gathering, i](const Result<T>& outcome) { gathering->arrive(i, copy_of(outcome)); });
  }
  if (!gathering->wait(context)) {
    // Who is only waiting for its turn can stop now.
    if (all_matter) {
      for (const auto& future : futures) future.cancel();
    }
    // A future can be settled while its callback is still on its way here, and a result that is
    // there beats a cancellation: one last look.
    for (std::size_t i = 0; i < futures.size(); ++i) {
      if (futures[i].settled()) gathering->arrive(i, futures[i].await(context));
    }
  }
  Tally<T> tally = gathering->close();
  // Only now, and without a lock: a producer may answer on this very thread, and that its error is
  // due to the cancellation must not make it the error that is reported.
  for (const auto& future : futures) future.cancel();
  return tally;
}

template <class T>
Error every_failure(const Tally<T>& tally) {
  std::string message = "none of " + std::to_string(tally.outcomes.size()) + " succeeded";
  for (std::size_t i = 0; i < tally.outcomes.size(); ++i) {
    const Error& error = tally.outcomes[i]->error();
    message += (i == 0 ? ": [" : "; [") + std::to_string(i) + "] " + error.code.message();
    if (!error.message.empty()) message += ", " + error.message;
  }
  return {tally.outcomes[*tally.first_error]->error().code, std::move(message)};
}

}  // namespace detail

// All three block the calling thread, start none, and may be called from any. Inputs may be settled
// already, and a future may be among them more than once. When the context ends they return at
// once; inputs that are settled by then count. Whatever is still pending when they return has been
// cancelled: see Future::cancel().

// The values, in the order of the inputs; or the error of the input that failed first in time,
// whatever its position, without waiting for the others; or the error of the context.
template <class T>
Result<std::vector<T>> all(const Context& context, std::vector<Future<T>> futures) {
  auto tally = detail::gather<T>(context, futures, [](const detail::Tally<T>& so_far) {
    return so_far.missing == 0 || so_far.first_error.has_value();
  });
  if (tally.first_error) return std::unexpected(tally.outcomes[*tally.first_error]->error());
  if (tally.missing > 0) return std::unexpected(*context.error());
  std::vector<T> values;
  values.reserve(futures.size());
  for (auto& outcome : tally.outcomes) values.push_back(**std::move(outcome));
  return values;
}

// The value of the input that succeeded first in time; or, when all have failed, an error that
// names every failure and has the code of the first; or the error of the context. Without any
// input: Errc::invalid_argument.
template <class T>
Result<T> first(const Context& context, std::vector<Future<T>> futures) {
  if (futures.empty()) {
    return std::unexpected(Error{Errc::invalid_argument, "first() of no futures at all"});
  }
  auto tally = detail::gather<T>(context, futures, [](const detail::Tally<T>& so_far) {
    return so_far.missing == 0 || so_far.first_value.has_value();
  });
  if (tally.first_value) return *std::move(tally.outcomes[*tally.first_value]);
  if (tally.missing > 0) return std::unexpected(*context.error());
  return std::unexpected(detail::every_failure(tally));
}

// The outcome of every input, value or error, in the order of the inputs. An input that was still
// pending when the context ended has the context's error in its place.
template <class T>
std::vector<Result<T>> wait_all(const Context& context, std::vector<Future<T>> futures) {
  auto tally = detail::gather<T>(
      context, futures, [](const detail::Tally<T>& so_far) { return so_far.missing == 0; },
      /*all_matter=*/true);
  std::vector<Result<T>> results;
  results.reserve(futures.size());
  for (auto& outcome : tally.outcomes) {
    results.push_back(outcome ? *std::move(outcome) : Result<T>(std::unexpected(*context.error())));
  }
  return results;
}

}  // namespace futures
