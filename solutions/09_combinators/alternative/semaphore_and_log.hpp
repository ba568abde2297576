// Right, and odd: outcomes go on a lock-free log in the order of time, a semaphore counts them, and
// a stop callback releases it once more when the context ends.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
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

template <class T>
struct Log {
  explicit Log(std::size_t inputs) : entries(inputs) {}

  struct Entry {
    std::size_t input = 0;
    std::optional<Result<T>> outcome;
    std::atomic<bool> written{false};
  };

  std::vector<Entry> entries;
  std::atomic<std::size_t> taken{0};  // places given away; the next entry goes here
  std::counting_semaphore<> news{0};
};

// Reads the log until visit() says that it has seen enough. False: the context ended first, and
// everything that had been written by then has been visited.
template <class T, class Visit>
bool follow(const Context& context, const std::vector<Future<T>>& futures, Visit visit) {
  const auto log = std::make_shared<Log<T>>(futures.size());
  for (std::size_t i = 0; i < futures.size(); ++i) {
    futures[i].on_settled([log, i](const Result<T>& outcome) {
      auto& entry = log->entries[log->taken.fetch_add(1)];
      entry.input = i;
      entry.outcome.emplace(outcome);
      entry.written.store(true);
      log->news.release();
    });
  }
  bool enough = false;
  {
    const std::stop_callback on_stop(context.stop_token(), [&] { log->news.release(); });
    for (std::size_t read = 0; !enough && read < futures.size();) {
      log->news.acquire();
      const bool over = context.done();
      for (; !enough && read < futures.size() && log->entries[read].written.load(); ++read) {
        enough = visit(log->entries[read].input, *log->entries[read].outcome);
      }
      if (over) break;
    }
  }
  for (const auto& future : futures) future.cancel();
  return enough;
}

}  // namespace detail

template <class T>
Result<std::vector<T>> all(const Context& context, std::vector<Future<T>> futures) {
  std::vector<std::optional<T>> found(futures.size());
  std::optional<Error> failure;
  std::size_t missing = futures.size();
  detail::follow(context, futures, [&](std::size_t i, Result<T>& outcome) {
    if (!outcome) {
      failure = outcome.error();
      return true;
    }
    found[i].emplace(*outcome);
    return --missing == 0;
  });
  if (failure) return std::unexpected(*failure);
  if (missing > 0) return std::unexpected(*context.error());
  std::vector<T> values;
  for (auto& value : found) values.push_back(*std::move(value));
  return values;
}

template <class T>
Result<T> first(const Context& context, std::vector<Future<T>> futures) {
  std::optional<Result<T>> winner;
  std::string failures;
  std::size_t missing = futures.size();
  detail::follow(context, futures, [&](std::size_t i, Result<T>& outcome) {
    --missing;
    if (outcome) winner.emplace(outcome);
    if (!outcome) failures += std::to_string(i) + ": " + outcome.error().message + "\n";
    return winner.has_value();
  });
  if (winner) return *winner;
  if (missing > 0) return std::unexpected(*context.error());
  return std::unexpected(
      Error{futures.empty() ? Errc::invalid_argument : Errc::unavailable, failures});
}

template <class T>
std::vector<Result<T>> wait_all(const Context& context, std::vector<Future<T>> futures) {
  std::vector<std::optional<Result<T>>> found(futures.size());
  detail::follow(context, futures, [&](std::size_t i, Result<T>& outcome) {
    found[i].emplace(outcome);
    return false;
  });
  std::vector<Result<T>> results;
  for (auto& outcome : found) {
    results.push_back(outcome ? *outcome : Result<T>(std::unexpected(*context.error())));
  }
  return results;
}

}  // namespace futures
