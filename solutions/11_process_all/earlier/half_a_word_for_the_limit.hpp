// Wrong: the number of workers is computed in 32 bits; bites when the limit is a multiple of 2^32:
// there are no workers, nothing runs, and the call succeeds (any other limit that large is cut down
// to its low half).
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
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

// How many are running, and how many were at most.
class Gauge {
 public:
  void up() {
    const std::size_t now = running_.fetch_add(1) + 1;
    std::size_t peak = peak_.load();
    while (peak < now && !peak_.compare_exchange_weak(peak, now)) {
    }
  }
  void down() { running_.fetch_sub(1); }
  std::size_t peak() const { return peak_.load(); }

 private:
  std::atomic<std::size_t> running_{0};
  std::atomic<std::size_t> peak_{0};
};

// Remembers the first error, whatever it is.
class FirstError {
 public:
  // True: this one is it.
  bool offer(const Error& error) {
    const std::lock_guard lock(mutex_);
    if (error_) return false;
    error_ = error;
    set_.store(true);
    return true;
  }
  bool set() const { return set_.load(); }
  std::optional<Error> get() const {
    const std::lock_guard lock(mutex_);
    return error_;
  }

 private:
  mutable std::mutex mutex_;
  std::optional<Error> error_;  // guarded by mutex_
  std::atomic<bool> set_{false};
};

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
  // Nobody has four billion threads.
  const auto width =
      std::min(static_cast<std::uint32_t>(limit), static_cast<std::uint32_t>(jobs.size()));
  auto source = with_cancel(context);
  FirstError first;
  Gauge gauge;
  std::atomic<std::size_t> next{0};
  std::atomic<std::size_t> completed{0};

  const auto fail = [&](const Error& error) {
    if (first.offer(error)) source.cancel(error);
  };
  run_crew(width, [&](std::size_t) {
    while (!first.set()) {
      const std::size_t i = next.fetch_add(1);
      if (i >= jobs.size()) return;
      if (const auto ended = context.error()) return fail(*ended);
      gauge.up();
      const auto error = run(process, source.context(), jobs[i]);
      gauge.down();
      if (error) return fail(context.error().value_or(*error));
      completed.fetch_add(1);
    }
  });

  if (auto error = first.get()) return std::unexpected(*std::move(error));
  return FanOut{completed.load(), gauge.peak()};
}

}  // namespace futures
