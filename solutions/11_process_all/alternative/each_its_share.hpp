// Right, if not fair: every thread has a fixed share of the jobs, every n-th one, and looks at a
// common log of errors, the first of which counts.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <shared_mutex>
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
  const std::size_t shares = std::min(limit, jobs.size());
  std::shared_mutex mutex;
  std::deque<Error> errors;
  std::size_t running = 0;
  FanOut counts;
  {
    std::vector<std::jthread> threads;
    for (std::size_t share = 0; share < shares; ++share) {
      threads.emplace_back([&, share, own = process] {
        for (std::size_t i = share; i < jobs.size(); i += shares) {
          {
            const std::unique_lock lock(mutex);
            if (errors.empty() && source.context().done()) {
              errors.push_back(*source.context().error());
            }
            if (!errors.empty()) return;
            counts.peak = std::max(counts.peak, ++running);
          }
          const Job copy = jobs[i];
          auto outcome = detail::call(own, source.context(), copy);
          const bool failed = !outcome;
          {
            const std::unique_lock lock(mutex);
            --running;
            if (outcome) ++counts.completed;
            if (failed) errors.push_back(std::move(outcome.error()));
          }
          if (failed) source.cancel();
        }
      });
    }
  }
  if (!errors.empty()) return std::unexpected(errors.front());
  return counts;
}

}  // namespace futures
