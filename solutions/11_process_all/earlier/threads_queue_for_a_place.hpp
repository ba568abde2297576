// Wrong: all jobs get a thread at once, and the threads queue at a semaphore; bites when there
// are many jobs.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <semaphore>
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
  std::counting_semaphore<> places(static_cast<std::ptrdiff_t>(std::min(limit, jobs.size())));
  std::mutex mutex;
  std::size_t running = 0;
  FanOut counts;
  std::optional<Error> first_error;
  {
    std::vector<std::jthread> threads;
    for (const Job& job : jobs) {
      threads.emplace_back([&] {
        places.acquire();
        std::unique_lock lock(mutex);
        if (!first_error) first_error = source.context().error();
        if (!first_error) {
          counts.peak = std::max(counts.peak, ++running);
          lock.unlock();
          auto outcome = detail::call(process, source.context(), job);
          lock.lock();
          --running;
          if (outcome) ++counts.completed;
          if (!outcome && !first_error) {
            first_error = std::move(outcome.error());
            lock.unlock();
            source.cancel();
          }
        }
        places.release();
      });
    }
  }
  if (first_error) return std::unexpected(*first_error);
  return counts;
}

}  // namespace futures
