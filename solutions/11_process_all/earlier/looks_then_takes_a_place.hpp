// Wrong: looks whether a place is free, and takes it in a second step; bites when two threads
// look at the same time.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

struct Job {
  std::string id;
  friend bool operator==(const Job&, const Job&) = default;
};

struct FanOut {
  std::size_t completed = 0;
  std::size_t peak = 0;
  friend bool operator==(const FanOut&, const FanOut&) = default;
};

namespace detail {

inline Result<void> call(const std::function<Result<void>(const Context&, const Job&)>& process,
                         const Context& context, const Job& job) {
  try {
    return process(context, job);
  } catch (...) {
    return std::unexpected(error_from_current_exception());
  }
}

}  // namespace detail

inline Result<FanOut> process_all(
    const Context& context, std::span<const Job> jobs, std::size_t limit,
    const std::function<Result<void>(const Context&, const Job&)>& process) {
  if (limit == 0) {
    return std::unexpected(Error{Errc::invalid_argument, "process_all with limit 0"});
  }
  CancelSource source = with_cancel(context);
  std::atomic<std::size_t> running{0};
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  FanOut counts;
  std::optional<Error> first_error;

  const auto start = [&]() -> const Job* {
    const std::lock_guard lock(mutex);
    if (first_error || next == jobs.size()) return nullptr;
    first_error = source.context().error();
    return first_error ? nullptr : &jobs[next++];
  };
  const auto work = [&] {
    while (true) {
      while (running >= limit) std::this_thread::yield();
      const std::size_t now = ++running;
      const Job* job = start();
      if (job == nullptr) {
        --running;
        return;
      }
      auto outcome = detail::call(process, source.context(), *job);
      std::unique_lock lock(mutex);
      counts.peak = std::max(counts.peak, std::min(now, limit));
      if (outcome) ++counts.completed;
      if (!outcome && !first_error) {
        first_error = std::move(outcome.error());
        lock.unlock();
        source.cancel();
      }
      --running;
    }
  };
  {
    std::vector<std::jthread> threads;
    while (threads.size() < std::min(std::min(limit, jobs.size()) + 1, jobs.size())) {
      threads.emplace_back(work);
    }
  }
  if (first_error) return std::unexpected(*first_error);
  return counts;
}

}  // namespace futures
