// Wrong: a worker that has failed is counted as gone before its error is written down; bites when
// it was the last one: the call succeeds.
#pragma once

#include <algorithm>
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
  std::mutex mutex;
  std::size_t next = 0;
  std::size_t running = 0;
  std::size_t over = 0;
  std::size_t peak = 0;
  bool all_over = jobs.empty();
  std::optional<Error> first_error;

  const auto work = [&] {
    std::unique_lock lock(mutex);
    while (!first_error && next < jobs.size()) {
      if (auto ended = source.context().error()) {
        first_error = std::move(ended);
        return;
      }
      const Job& job = jobs[next++];
      peak = std::max(peak, ++running);
      lock.unlock();
      auto outcome = detail::call(process, source.context(), job);
      lock.lock();
      --running;
      all_over = ++over == jobs.size() && !first_error;
      if (outcome || first_error) continue;
      first_error = std::move(outcome.error());
      lock.unlock();
      source.cancel();
      lock.lock();
    }
  };
  {
    std::vector<std::jthread> threads;
    while (threads.size() < std::min(limit, jobs.size())) threads.emplace_back(work);
  }
  if (all_over) return FanOut{over, peak};
  return std::unexpected(*first_error);
}

}  // namespace futures
