// Wrong: the sources of the running jobs are kept in a map by the id of the job; bites when two
// jobs with the same id run at the same time and a third one fails: only one of the two has an
// entry, the other one's context does not end.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
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
  std::size_t completed = 0;  // jobs that succeeded
  std::size_t peak = 0;       // the most jobs that ran at the same time
  friend bool operator==(const FanOut&, const FanOut&) = default;
};

// Decided: limit 0 is an error also when there are no jobs; no jobs are a success also under a dead
// context; a job that fails when the caller's context has ended already counts as told to stop.

namespace process_all_detail {

using Process = std::function<Result<void>(const Context&, const Job&)>;

// What went wrong with this job; nullopt: nothing.
inline std::optional<Error> run(const Process& process, const Context& context, const Job& job) {
  try {
    auto result = process(context, job);
    if (result) return std::nullopt;
    return std::move(result).error();
  } catch (...) {
    return error_from_current_exception();
  }
}

// Runs work(0) ... work(count - 1), each on a thread of its own, and waits for them. With too few
// threads to be had the others do it all; with none, the caller.
template <class Work>
void run_crew(std::size_t count, const Work& work) {
  std::vector<std::jthread> crew;
  crew.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    try {
      crew.emplace_back([&work, i] { work(i); });
    } catch (const std::system_error&) {
      if (crew.empty()) work(i);
      break;
    }
  }
}

}  // namespace process_all_detail

inline Result<FanOut> process_all(
    const Context& context, std::span<const Job> jobs, std::size_t limit,
    const std::function<Result<void>(const Context&, const Job&)>& process) {
  using namespace process_all_detail;
  if (limit == 0) return std::unexpected(Error{Errc::invalid_argument, "the limit is 0"});
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<CancelSource>, std::less<>> running;  // guarded by mutex
  std::size_t next = 0;                                                       // as all below
  std::size_t at_work = 0;
  std::size_t completed = 0;
  std::size_t peak = 0;
  std::optional<Error> first;

  const auto fail = [&](const Error& error) {
    decltype(running) told;
    {
      const std::lock_guard lock(mutex);
      if (first) return;
      first = error;
      told = running;
    }
    for (const auto& [id, source] : told) source->cancel(error);
  };
  run_crew(std::min(limit, jobs.size()), [&](std::size_t) {
    for (;;) {
      const auto source = std::make_shared<CancelSource>(with_cancel(context));
      const auto ended = context.error();
      std::unique_lock lock(mutex);
      if (first || next == jobs.size()) return;
      if (ended) {
        lock.unlock();
        return fail(*ended);
      }
      const Job& job = jobs[next++];
      running.emplace(job.id, source);
      peak = std::max(peak, ++at_work);
      lock.unlock();
      const auto error = run(process, source->context(), job);
      lock.lock();
      running.erase(job.id);
      --at_work;
      if (!error) {
        ++completed;
        continue;
      }
      lock.unlock();
      return fail(context.error().value_or(*error));
    }
  });
  if (first) return std::unexpected(*std::move(first));
  return FanOut{completed, peak};
}

}  // namespace futures
