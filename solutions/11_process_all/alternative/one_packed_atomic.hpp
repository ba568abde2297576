// Right: no lock at all; next job, running jobs, peak and "stopped" are fields of one 64-bit atomic
// that is changed by compare-and-exchange.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
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

class PackedRun {
 public:
  using Process = std::function<Result<void>(const Context&, const Job&)>;

  // More workers than this are not started: running and peak have 16 bits each.
  static constexpr std::size_t max_workers = 0xffff;

  PackedRun(const Context& parent, std::span<const Job> jobs, const Process& process)
      : jobs_(jobs), process_(process), source_(with_cancel(parent)) {}

  void work() {
    while (const Job* job = start_next()) {
      Result<void> outcome = call(*job);
      if (outcome) {
        completed_.fetch_add(1, std::memory_order_relaxed);  // read after the join
        change([](State& state) {
          --state.running;
          return true;
        });
      } else {
        stop(std::move(outcome.error()), 1);
      }
    }
  }

  // For when all workers have been joined.
  Result<FanOut> outcome() {
    if (error_) return std::unexpected(*std::move(error_));
    return FanOut{.completed = completed_.load(),
                  .peak = static_cast<std::size_t>(unpack(packed_.load()).peak)};
  }

 private:
  struct State {
    std::uint64_t next = 0;     // 31 bits
    std::uint64_t running = 0;  // 16 bits
    std::uint64_t peak = 0;     // 16 bits
    std::uint64_t stopped = 0;  // 1 bit
  };
  static std::uint64_t pack(const State& s) {
    return s.next | s.running << 31 | s.peak << 47 | s.stopped << 63;
  }
  static State unpack(std::uint64_t bits) {
    return State{.next = bits & 0x7fffffff,
                 .running = bits >> 31 & 0xffff,
                 .peak = bits >> 47 & 0xffff,
                 .stopped = bits >> 63};
  }

  // Applies f, which may be called again, in one step; false when f did not want to.
  template <class F>
  bool change(F f) {
    std::uint64_t before = packed_.load();
    while (true) {
      State state = unpack(before);
      if (!f(state)) return false;
      if (packed_.compare_exchange_weak(before, pack(state))) return true;
    }
  }

  const Job* start_next() {
    std::uint64_t index = 0;
    std::optional<Error> ended;
    const bool started = change([&](State& state) {
      ended.reset();
      if (state.stopped != 0 || state.next == jobs_.size()) return false;
      ended = source_.context().error();
      if (ended) return false;
      index = state.next++;
      state.peak = std::max(state.peak, ++state.running);
      return true;
    });
    if (started) return &jobs_[index];
    if (ended) stop(*std::move(ended), 0);
    return nullptr;
  }

  // The one who sets the bit owns the error. Nobody reads it before the join. Not recorded when
  // meanwhile others have taken the last job and `leaving` nobody: then nothing was left out.
  void stop(Error error, std::uint64_t leaving) {
    bool first = false;
    change([&](State& state) {
      state.running -= leaving;
      first = state.stopped == 0 && (leaving != 0 || state.next < jobs_.size());
      if (first) state.stopped = 1;
      return first || leaving != 0;
    });
    if (!first) return;
    error_ = std::move(error);
    source_.cancel(Error{Errc::cancelled, "another job failed"});
  }

  Result<void> call(const Job& job) const {
    try {
      return process_(source_.context(), job);
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  const std::span<const Job> jobs_;
  const Process& process_;
  CancelSource source_;
  std::atomic<std::uint64_t> packed_{0};
  std::atomic<std::size_t> completed_{0};
  std::optional<Error> error_;  // written by whoever stopped the run, if anybody
};

}  // namespace detail

inline Result<FanOut> process_all(
    const Context& context, std::span<const Job> jobs, std::size_t limit,
    const std::function<Result<void>(const Context&, const Job&)>& process) {
  if (limit == 0) {
    return std::unexpected(
        Error{Errc::invalid_argument, "process_all with limit 0: no job could ever run"});
  }
  detail::PackedRun run(context, jobs, process);
  const std::size_t workers = std::min({limit, jobs.size(), detail::PackedRun::max_workers});
  {
    std::vector<std::jthread> helpers;
    try {
      for (std::size_t i = 1; i < workers; ++i) helpers.emplace_back([&run] { run.work(); });
    } catch (const std::system_error&) {
      // Those that there are will do it.
    }
    run.work();
  }
  return run.outcome();
}

}  // namespace futures
