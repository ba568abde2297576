// Wrong: looks into the slots without the lock once the context has ended; bites when an input
// settles at that moment: its callback is writing what is being read.
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

// What one call has heard so far. Shared with the callbacks, which may come after the call is over.
template <class T>
struct Gathered {
  explicit Gathered(std::size_t n) : slots(n), ready(n, false), missing(n) {}

  std::mutex mutex;
  std::condition_variable_any news;
  std::vector<std::optional<Result<T>>> slots;  // each written by its callback, then `ready`
  std::vector<bool> ready;                      // guarded by mutex, as all below
  std::size_t missing;
  std::optional<std::size_t> failed;     // the first in time
  std::optional<std::size_t> succeeded;  // the first in time
  bool over = false;

  bool has(const std::optional<std::size_t>& which) const { return which && ready[*which]; }

  void arrive(std::size_t i, const Result<T>& result) {
    {
      const std::lock_guard lock(mutex);
      if (over) return;
      auto& place = result ? succeeded : failed;
      if (!place) place = i;
    }
    try {
      slots[i].emplace(result);
    } catch (...) {
      slots[i].emplace(std::unexpected(error_from_current_exception()));
    }
    const std::lock_guard lock(mutex);
    ready[i] = true;
    --missing;
    if (!*slots[i] && !failed) failed = i;
    if (result && !*slots[i] && succeeded == i) succeeded.reset();
    news.notify_all();
  }
};

template <class T>
std::shared_ptr<Gathered<T>> listen(const std::vector<Future<T>>& futures) {
  auto gathered = std::make_shared<Gathered<T>>(futures.size());
  for (std::size_t i = 0; i < futures.size(); ++i) {
    futures[i].on_settled([gathered, i](const Result<T>& result) { gathered->arrive(i, result); });
  }
  return gathered;
}

// Nobody listens any more: what is pending is not wanted.
template <class T>
void abandon(const std::vector<Future<T>>& futures) {
  for (const auto& future : futures) future.cancel();
}

}  // namespace detail

template <class T>
Result<std::vector<T>> all(const Context& context, std::vector<Future<T>> futures) {
  auto g = detail::listen(futures);
  std::unique_lock lock(g->mutex);
  const bool heard = g->news.wait(lock, context.stop_token(),
                                  [&] { return g->has(g->failed) || g->missing == 0; });
  g->over = true;
  const auto failed = g->has(g->failed) ? g->failed : std::nullopt;
  lock.unlock();
  if (!heard) {
    detail::abandon(futures);
    return std::unexpected(*context.error());
  }
  if (failed) {
    Error error = g->slots[*failed]->error();
    detail::abandon(futures);
    return std::unexpected(std::move(error));
  }
  std::vector<T> values;
  values.reserve(futures.size());
  for (auto& slot : g->slots) values.push_back(**std::move(slot));
  return values;
}

template <class T>
Result<T> first(const Context& context, std::vector<Future<T>> futures) {
  if (futures.empty()) {
    return std::unexpected(Error{Errc::invalid_argument, "first: there is nothing to choose from"});
  }
  auto g = detail::listen(futures);
  std::unique_lock lock(g->mutex);
  const bool heard = g->news.wait(lock, context.stop_token(),
                                  [&] { return g->has(g->succeeded) || g->missing == 0; });
  g->over = true;
  const auto winner = g->has(g->succeeded) ? g->succeeded : std::nullopt;
  lock.unlock();
  if (!heard) {
    detail::abandon(futures);
    return std::unexpected(*context.error());
  }
  if (winner) {
    detail::abandon(futures);
    return **std::move(g->slots[*winner]);
  }
  Error error{g->slots.front()->error().code, "first: every input failed"};
  for (const auto& slot : g->slots) error.message += "; " + slot->error().message;
  return std::unexpected(std::move(error));
}

template <class T>
std::vector<Result<T>> wait_all(const Context& context, std::vector<Future<T>> futures) {
  auto g = detail::listen(futures);
  std::unique_lock lock(g->mutex);
  g->news.wait(lock, context.stop_token(), [&] { return g->missing == 0; });
  g->over = true;
  const bool complete = g->missing == 0;
  lock.unlock();
  std::vector<Result<T>> outcomes;
  outcomes.reserve(futures.size());
  for (std::size_t i = 0; i < futures.size(); ++i) {
    if (g->slots[i].has_value()) {
      outcomes.push_back(*std::move(g->slots[i]));
    } else {
      outcomes.push_back(std::unexpected(*context.error()));
    }
  }
  if (!complete) detail::abandon(futures);
  return outcomes;
}

}  // namespace futures
