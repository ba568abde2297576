// Wrong: waits for a place and then starts a thread, one for every job; bites when there are many
// jobs: ten thousand threads are started, though few at a time.
#pragma once

#include <algorithm>
#include <condition_variable>
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
  std::condition_variable free;
  std::size_t running = 0;
  FanOut counts;
  std::optional<Error> first_error;
  {
    std::vector<std::jthread> threads;
    for (const Job& job : jobs) {
      std::unique_lock lock(mutex);
      free.wait(lock, [&] { return running < limit; });
      if (first_error) break;
      if (auto ended = source.context().error()) {
        first_error = std::move(ended);
        break;
      }
      counts.peak = std::max(counts.peak, ++running);
      threads.emplace_back([&] {
        auto outcome = detail::call(process, source.context(), job);
        std::unique_lock done(mutex);
        --running;
        free.notify_one();
        if (outcome) ++counts.completed;
        if (outcome || first_error) return;
        first_error = std::move(outcome.error());
        done.unlock();
        source.cancel();
      });
    }
  }
  if (first_error) return std::unexpected(*first_error);
  return counts;
}

}  // namespace futures
