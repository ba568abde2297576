// Right, and odd: the caller and one thread fewer than allowed run the jobs; a semaphore is the
// lock, another one the join.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <semaphore>
#include <span>
#include <string>
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

}  // namespace detail

inline Result<FanOut> process_all(
    const Context& context, std::span<const Job> jobs, std::size_t limit,
    const std::function<Result<void>(const Context&, const Job&)>& process) {
  if (limit == 0) {
    return std::unexpected(Error{Errc::invalid_argument, "process_all with limit 0"});
  }
  CancelSource source = with_cancel(context);
  std::binary_semaphore turn(1);
  const auto gone = std::make_shared<std::counting_semaphore<>>(0);
  std::size_t next = 0;
  std::size_t running = 0;
  FanOut counts;
  std::optional<Error> first_error;

  const auto work = [&] {
    for (;;) {
      turn.acquire();
      if (!first_error && next < jobs.size()) first_error = source.context().error();
      if (first_error || next == jobs.size()) break;
      const Job& job = jobs[next++];
      counts.peak = std::max(counts.peak, ++running);
      turn.release();
      auto outcome = detail::call(process, source.context(), job);
      turn.acquire();
      --running;
      counts.completed += outcome.has_value() ? 1 : 0;
      const bool cause = !outcome && !first_error;
      if (cause) first_error = std::move(outcome.error());
      turn.release();
      if (cause) source.cancel();
    }
    turn.release();
  };
  std::size_t helpers = 0;
  for (; helpers + 1 < std::min(limit, jobs.size()); ++helpers) {
    spawn([&work, gone] {
      work();
      gone->release();
    });
  }
  work();
  for (; helpers > 0; --helpers) gone->acquire();
  if (first_error) return std::unexpected(*first_error);
  return counts;
}

}  // namespace futures
