// Right: detached threads that count themselves out under the lock; the caller only waits.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
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

// On the stack of process_all.
struct Crew {
  explicit Crew(const Context& parent) : source(with_cancel(parent)) {}

  CancelSource source;
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t next = 0;
  std::size_t running = 0;
  std::size_t completed = 0;
  std::size_t peak = 0;
  std::size_t workers = 0;
  std::optional<Error> first_error;
};

inline void work(Crew& crew, std::span<const Job> jobs,
                 const std::function<Result<void>(const Context&, const Job&)>& process) {
  std::unique_lock lock(crew.mutex);
  while (!crew.first_error && crew.next < jobs.size()) {
    if (auto ended = crew.source.context().error()) {
      crew.first_error = std::move(ended);
      break;
    }
    const Job& job = jobs[crew.next++];
    crew.peak = std::max(crew.peak, ++crew.running);
    lock.unlock();
    auto outcome = call(process, crew.source.context(), job);
    lock.lock();
    --crew.running;
    if (outcome) ++crew.completed;
    if (outcome || crew.first_error) continue;
    crew.first_error = std::move(outcome.error());
    lock.unlock();
    crew.source.cancel();
    lock.lock();
  }
  // Under the lock: once it is released the crew may be gone.
  if (--crew.workers == 0) crew.changed.notify_all();
}

}  // namespace detail

inline Result<FanOut> process_all(
    const Context& context, std::span<const Job> jobs, std::size_t limit,
    const std::function<Result<void>(const Context&, const Job&)>& process) {
  if (limit == 0) {
    return std::unexpected(Error{Errc::invalid_argument, "process_all with limit 0"});
  }
  detail::Crew crew(context);
  crew.workers = std::min(limit, jobs.size());
  for (std::size_t i = std::min(limit, jobs.size()); i > 0; --i) {
    spawn([&crew, jobs, &process] { detail::work(crew, jobs, process); });
  }
  std::unique_lock lock(crew.mutex);
  crew.changed.wait(lock, [&] { return crew.workers == 0; });
  if (crew.first_error) return std::unexpected(*crew.first_error);
  return FanOut{crew.completed, crew.peak};
}

}  // namespace futures
