// Wrong: the queue looks at the deadline by itself before the first job, and calls it "cancelled"
// when the context does not say yet why it ended; bites when the call begins after the deadline has
// passed and before the context's timer has fired.
#pragma once

#include <algorithm>
#include <atomic>
#include <coroutine>
#include <cstddef>
#include <exception>
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

// The queue is a coroutine that whoever needs a job resumes, one at a time.
class Queue {
 public:
  struct promise_type {
    const Job* job = nullptr;
    Queue get_return_object() {
      return Queue(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    std::suspend_always yield_value(const Job* next) noexcept {
      job = next;
      return {};
    }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };

  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  ~Queue() { coroutine_.destroy(); }

  // Null: no more.
  const Job* next() {
    const std::lock_guard lock(mutex_);
    if (coroutine_.done()) return nullptr;
    coroutine_.resume();
    return coroutine_.done() ? nullptr : coroutine_.promise().job;
  }

 private:
  explicit Queue(std::coroutine_handle<promise_type> coroutine) : coroutine_(coroutine) {}

  std::mutex mutex_;
  std::coroutine_handle<promise_type> coroutine_;
};

inline Queue list(const Context& context, std::span<const Job> jobs, FirstError& first) {
  const auto deadline = context.deadline();
  if (!jobs.empty() && deadline && *deadline <= Clock::now()) {
    first.offer(context.error().value_or(Error{Errc::cancelled, "nobody wants this any more"}));
    co_return;
  }
  for (const Job& job : jobs) {
    if (first.set()) co_return;
    if (const auto ended = context.error()) {
      first.offer(*ended);  // the jobs that run are told by the context itself
      co_return;
    }
    co_yield &job;
  }
}

}  // namespace process_all_detail

inline Result<FanOut> process_all(
    const Context& context, std::span<const Job> jobs, std::size_t limit,
    const std::function<Result<void>(const Context&, const Job&)>& process) {
  using namespace process_all_detail;
  if (limit == 0) return std::unexpected(Error{Errc::invalid_argument, "the limit is 0"});
  auto source = with_cancel(context);
  FirstError first;
  Gauge gauge;
  std::atomic<std::size_t> completed{0};
  Queue queue = list(context, jobs, first);
  run_crew(std::min(limit, jobs.size()), [&](std::size_t) {
    while (const Job* const job = queue.next()) {
      gauge.up();
      const auto error = run(process, source.context(), *job);
      gauge.down();
      if (error) {
        const Error why = context.error().value_or(*error);
        if (first.offer(why)) source.cancel(why);
        return;
      }
      completed.fetch_add(1);
    }
  });

  if (auto error = first.get()) return std::unexpected(*std::move(error));
  return FanOut{completed.load(), gauge.peak()};
}

}  // namespace futures
