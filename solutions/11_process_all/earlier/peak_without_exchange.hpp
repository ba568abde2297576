// Wrong: compares the peak and writes it in two steps; bites when a lower number is written over
// a higher one.
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
  std::atomic<std::size_t> next{0};
  std::atomic<std::size_t> running{0};
  std::atomic<std::size_t> peak{0};
  std::atomic<std::size_t> completed{0};
  std::atomic<bool> failed{false};
  std::mutex mutex;
  std::optional<Error> first_error;

  const auto fail = [&](Error error) {
    {
      const std::lock_guard lock(mutex);
      if (!first_error) first_error = std::move(error);
      failed = true;
    }
    source.cancel();
  };
  const auto work = [&] {
    while (!failed) {
      const std::size_t mine = next++;
      if (mine >= jobs.size()) return;
      if (auto ended = source.context().error()) return fail(*std::move(ended));
      const std::size_t now = ++running;
      if (now > peak) peak = now;
      auto outcome = detail::call(process, source.context(), jobs[mine]);
      if (!outcome) return fail(std::move(outcome.error()));
      ++completed;
      --running;
    }
  };
  {
    std::vector<std::jthread> threads;
    while (threads.size() < std::min(limit, jobs.size())) threads.emplace_back(work);
  }
  if (first_error) return std::unexpected(*first_error);
  return FanOut{completed, peak};
}

}  // namespace futures
