// Wrong: one thread more, to pass the cancellation of the caller on; bites when threads are
// counted.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
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
  CancelSource source = with_cancel(Context::background());
  if (!jobs.empty() && context.done()) return std::unexpected(*context.error());
  std::mutex mutex;
  std::size_t next = 0;
  std::size_t running = 0;
  FanOut counts;
  std::optional<Error> first_error;
  std::jthread watcher([&](const std::stop_token& over) {
    std::mutex own;
    std::condition_variable_any wake;
    std::unique_lock lock(own);
    const std::stop_callback on_end(context.stop_token(), [&] { source.cancel(*context.error()); });
    wake.wait(lock, over, [] { return false; });
  });
  {
    std::vector<std::jthread> threads;
    while (threads.size() < std::min(limit, jobs.size())) {
      threads.emplace_back([&] {
        std::unique_lock lock(mutex);
        while (!first_error && next < jobs.size()) {
          if (auto ended = source.context().error()) {
            first_error = std::move(ended);
            return;
          }
          const Job& job = jobs[next++];
          counts.peak = std::max(counts.peak, ++running);
          lock.unlock();
          auto outcome = detail::call(process, source.context(), job);
          lock.lock();
          --running;
          if (outcome) ++counts.completed;
          if (outcome || first_error) continue;
          first_error = std::move(outcome.error());
          lock.unlock();
          source.cancel();
          lock.lock();
        }
      });
    }
  }
  if (first_error) return std::unexpected(*first_error);
  return counts;
}

}  // namespace futures
