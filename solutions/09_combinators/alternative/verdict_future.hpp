// Right: the callbacks settle one more future, the verdict, which is all the caller waits for.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "future.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

namespace detail {

enum class Wanted { every_success, one_success, every_outcome };

struct Race {
  Resolver<std::size_t> verdict;
  std::atomic<std::size_t> left;
};

// The index of the future that decided the matter, or their number when the last one did.
template <class T>
Future<std::size_t> race(const std::vector<Future<T>>& futures, Wanted wanted) {
  auto [verdict, resolver] = make_future<std::size_t>();
  const std::size_t size = futures.size();
  if (size == 0) resolver.resolve(0);
  const auto state = std::make_shared<Race>(std::move(resolver), size);
  for (std::size_t i = 0; i < size; ++i) {
    futures[i].on_settled([=](const Result<T>& result) {
      const bool decides = result ? wanted == Wanted::one_success : wanted == Wanted::every_success;
      if (decides) {
        state->verdict.resolve(i);
      } else if (--state->left == 0) {
        state->verdict.resolve(size);
      }
    });
  }
  return verdict;
}

template <class T>
void cancel_rest(const std::vector<Future<T>>& futures) {
  for (const auto& future : futures) future.cancel();
}

}  // namespace detail

template <class T>
Result<std::vector<T>> all(const Context& context, std::vector<Future<T>> futures) {
  const auto verdict = detail::race(futures, detail::Wanted::every_success).await(context);
  if (!verdict) {
    detail::cancel_rest(futures);
    return std::unexpected(verdict.error());
  }
  if (*verdict < futures.size()) {
    detail::cancel_rest(futures);
    return std::unexpected(futures[*verdict].await(Context::background()).error());
  }
  std::vector<T> values;
  values.reserve(futures.size());
  for (const auto& future : futures) values.push_back(*future.await(Context::background()));
  return values;
}

template <class T>
Result<T> first(const Context& context, std::vector<Future<T>> futures) {
  if (futures.empty()) {
    return std::unexpected(Error{Errc::invalid_argument, "nothing to choose from"});
  }
  const auto verdict = detail::race(futures, detail::Wanted::one_success).await(context);
  detail::cancel_rest(futures);
  if (!verdict) return std::unexpected(verdict.error());
  if (*verdict < futures.size()) return futures[*verdict].await(Context::background());
  std::string message = "all of " + std::to_string(futures.size()) + " failed";
  for (std::size_t i = 0; i < futures.size(); ++i) {
    const Error error = futures[i].await(Context::background()).error();
    message += "\n#" + std::to_string(i) + " " + error.code.message() + ": " + error.message;
  }
  return std::unexpected(Error{Errc::unavailable, std::move(message)});
}

template <class T>
std::vector<Result<T>> wait_all(const Context& context, std::vector<Future<T>> futures) {
  const auto verdict = detail::race(futures, detail::Wanted::every_outcome).await(context);
  if (!verdict) detail::cancel_rest(futures);
  std::vector<Result<T>> results;
  results.reserve(futures.size());
  for (const auto& future : futures) {
    // A future that answered the cancellation on the spot shows its own answer.
    if (verdict || future.settled()) {
      results.push_back(future.await(Context::background()));
    } else {
      results.push_back(std::unexpected(verdict.error()));
    }
  }
  return results;
}

}  // namespace futures
