// Wrong: with many jobs a worker takes several at once, and looks at the others' errors and at the
// context only between two such handfuls; bites with hundreds of jobs: jobs start after the first
// error.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <system_error>
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
  std::size_t completed = 0;  // jobs that succeeded
  std::size_t peak = 0;       // the most jobs that ran at the same time
  friend bool operator==(const FanOut&, const FanOut&) = default;
};

namespace detail {

struct Shared {
  std::mutex mutex;
  std::size_t next = 0;  // guarded by mutex, as all below
  std::size_t completed = 0;
  std::size_t running = 0;
  std::size_t peak = 0;
  std::optional<Error> error;  // the first one
};

}  // namespace detail

inline Result<FanOut> process_all(
    const Context& context, std::span<const Job> jobs, std::size_t limit,
    const std::function<Result<void>(const Context&, const Job&)>& process) {
  if (limit == 0) {
    return std::unexpected(
        Error{Errc::invalid_argument, "process_all with limit 0: no job could ever run"});
  }
  const std::size_t workers = std::min(limit, jobs.size());
  // Ten thousand short jobs should not queue up at one mutex ten thousand times. Few jobs are taken
  // one by one, so that every worker gets its share.
  const std::size_t handful =
      workers == 0 ? 1 : std::clamp<std::size_t>(jobs.size() / (workers * 16), 1, 8);
  CancelSource source = with_cancel(context);
  detail::Shared shared;

  const auto take = [&]() -> std::span<const Job> {
    const std::lock_guard lock(shared.mutex);
    if (shared.error || shared.next == jobs.size()) return {};
    if (auto ended = source.context().error()) {
      shared.error = std::move(ended);
      return {};
    }
    const auto mine = jobs.subspan(shared.next, std::min(handful, jobs.size() - shared.next));
    shared.next += mine.size();
    return mine;
  };
  const auto begin = [&] {
    const std::lock_guard lock(shared.mutex);
    shared.peak = std::max(shared.peak, ++shared.running);
  };
  // False: this job failed, and the worker takes no other.
  const auto end = [&](Result<void> outcome) {
    {
      const std::lock_guard lock(shared.mutex);
      --shared.running;
      if (outcome) {
        ++shared.completed;
        return true;
      }
      if (shared.error) return false;
      shared.error = std::move(outcome.error());
    }
    source.cancel(Error{Errc::cancelled, "another job failed"});
    return false;
  };
  const auto work = [&] {
    for (auto mine = take(); !mine.empty(); mine = take()) {
      for (const Job& job : mine) {
        begin();
        Result<void> outcome;
        try {
          outcome = process(source.context(), job);
        } catch (...) {
          outcome = std::unexpected(error_from_current_exception());
        }
        if (!end(std::move(outcome))) return;
      }
    }
  };
  {
    std::vector<std::jthread> helpers;
    try {
      while (helpers.size() + 1 < workers) helpers.emplace_back(work);
    } catch (const std::system_error&) {
      // Fewer will do.
    }
    work();
  }
  if (shared.error) return std::unexpected(*std::move(shared.error));
  return FanOut{.completed = shared.completed, .peak = shared.peak};
}

}  // namespace futures
