// Right, without a lock: an atomic index hands out the jobs, call_once picks the first error, and
// an atomic maximum keeps the peak. The caller polls until everybody has left.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>

#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

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

struct Shared {
  explicit Shared(const Context& parent) : source(with_cancel(parent)) {}

  // Everybody waits here until the first one has put its error down.
  void fail(Error error, bool tell) {
    std::call_once(once, [&] { first_error = std::move(error); });
    failed = true;
    if (tell) source.cancel();
  }

  CancelSource source;
  std::once_flag once;
  std::optional<Error> first_error;
  std::atomic<bool> failed{false};
  std::atomic<std::size_t> next{0};
  std::atomic<std::size_t> running{0};
  std::atomic<std::size_t> peak{0};
  std::atomic<std::size_t> completed{0};
  std::atomic<std::size_t> workers{0};
};

}  // namespace detail

inline Result<FanOut> process_all(
    const Context& context, std::span<const Job> jobs, std::size_t limit,
    const std::function<Result<void>(const Context&, const Job&)>& process) {
  if (limit == 0) {
    return std::unexpected(Error{Errc::invalid_argument, "process_all with limit 0"});
  }
  const auto shared = std::make_shared<detail::Shared>(context);
  const std::size_t workers = std::min(limit, jobs.size());
  shared->workers = workers;
  for (std::size_t i = 0; i < workers; ++i) {
    spawn([shared, jobs, work = &process] {
      while (!shared->failed) {
        const std::size_t mine = shared->next.fetch_add(1);
        if (mine >= jobs.size()) break;
        if (auto ended = shared->source.context().error()) {
          shared->fail(*std::move(ended), false);
          break;
        }
        const std::size_t now = ++shared->running;
        std::size_t peak = shared->peak;
        while (peak < now && !shared->peak.compare_exchange_weak(peak, now)) {
        }
        auto outcome = detail::call(*work, shared->source.context(), jobs[mine]);
        --shared->running;
        if (outcome) {
          ++shared->completed;
        } else {
          shared->fail(std::move(outcome.error()), true);
        }
      }
      --shared->workers;
    });
  }
  while (shared->workers != 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  if (shared->first_error) return std::unexpected(*shared->first_error);
  return FanOut{shared->completed, shared->peak};
}

}  // namespace futures
