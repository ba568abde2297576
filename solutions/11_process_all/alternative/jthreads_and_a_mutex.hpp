// Right: jthreads and one mutex; a job's real error replaces an earlier one that says "cancelled".
#pragma once

#include <algorithm>
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

inline Result<FanOut> process_all(
    const Context& context, std::span<const Job> jobs, std::size_t limit,
    const std::function<Result<void>(const Context&, const Job&)>& process) {
  if (limit == 0) return std::unexpected(Error{Errc::invalid_argument, "the limit is 0"});
  if (context.done()) return std::unexpected(*context.error());

  auto group = with_cancel(context);
  std::mutex mutex;
  std::size_t next = 0;  // guarded by mutex, as all below
  std::size_t running = 0;
  FanOut fan_out;
  std::optional<Error> failure;

  const auto call = [&](const Job& job) -> Result<void> {
    try {
      return process(group.context(), job);
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  };
  const auto says_cancelled = [&](const Error& error) {
    const auto ended = context.error();
    return error.code == Errc::cancelled || (ended && error.code == ended->code);
  };
  const auto work = [&] {
    std::unique_lock lock(mutex);
    while (next < jobs.size() && !failure && !group.context().done()) {
      const Job& job = jobs[next++];
      fan_out.peak = std::max(fan_out.peak, ++running);
      lock.unlock();
      auto outcome = call(job);
      lock.lock();
      --running;
      if (outcome) {
        ++fan_out.completed;
        continue;
      }
      if (!failure || (says_cancelled(*failure) && !says_cancelled(outcome.error()))) {
        failure = std::move(outcome).error();
      }
      lock.unlock();
      group.cancel();  // runs stop callbacks: not under the lock
      return;
    }
  };

  {
    std::vector<std::jthread> workers;
    const auto wanted = std::min(limit, jobs.size());
    workers.reserve(wanted);
    try {
      while (workers.size() < wanted) workers.emplace_back(work);
    } catch (const std::system_error& e) {
      // Those that did start are enough to get the work done.
      if (workers.empty()) return std::unexpected(Error{Errc::unavailable, e.what()});
    }
  }
  if (failure) return std::unexpected(*std::move(failure));
  if (fan_out.completed < jobs.size()) return std::unexpected(*context.error());
  return fan_out;
}

}  // namespace futures
