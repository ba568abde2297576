// Right: every worker starts the next one when there is still something to do, and joins it before
// it returns; the books are a plain struct behind a function that locks.
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
#include <type_traits>
#include <utility>

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

// A value that can be had under its lock only.
template <class T>
class Locked {
 public:
  template <class F>
  auto with(F f) {
    const std::lock_guard lock(mutex_);
    return f(value_);
  }

 private:
  std::mutex mutex_;
  T value_;
};

struct Books {
  std::span<const Job> waiting;
  std::size_t running = 0;
  FanOut tally;
  std::optional<Error> cause;
};

template <class Process>
struct Chain {
  const Process& process;
  CancelSource source;
  Locked<Books> books;

  // At most `links` workers, this thread included. A thread that starts another one can't return
  // before it: so when the first one returns, all have.
  void work(std::size_t links) {
    std::jthread next;
    const Job* job = take();
    while (job != nullptr) {
      // Only once there is a job for this one: and one for the next, perhaps.
      if (links > 1 && !next.joinable() && something_left()) {
        try {
          next = std::jthread([this, links] { work(links - 1); });
        } catch (const std::system_error&) {
          links = 1;  // no more threads; this one goes on alone
        }
      }
      settle(attempt(*job));
      job = take();
    }
  }

  bool something_left() {
    return books.with([](const Books& b) { return !b.cause && !b.waiting.empty(); });
  }

  const Job* take() {
    return books.with([this](Books& b) -> const Job* {
      if (b.cause || b.waiting.empty()) return nullptr;
      if ((b.cause = source.context().error())) return nullptr;
      const Job& job = b.waiting.front();
      b.waiting = b.waiting.subspan(1);
      b.tally.peak = std::max(b.tally.peak, ++b.running);
      return &job;
    });
  }

  Result<void> attempt(const Job& job) {
    try {
      return process(source.context(), job);
    } catch (...) {
      return std::unexpected(error_from_current_exception());
    }
  }

  void settle(Result<void> outcome) {
    const bool first = books.with([&](Books& b) {
      --b.running;
      if (outcome) ++b.tally.completed;
      if (outcome || b.cause) return false;
      b.cause = std::move(outcome.error());
      return true;
    });
    if (first) source.cancel(Error{Errc::cancelled, "another job failed"});
  }
};

}  // namespace detail

inline Result<FanOut> process_all(
    const Context& context, std::span<const Job> jobs, std::size_t limit,
    const std::function<Result<void>(const Context&, const Job&)>& process) {
  if (limit == 0) {
    return std::unexpected(
        Error{Errc::invalid_argument, "process_all with limit 0: no job could ever run"});
  }
  detail::Chain<std::remove_cvref_t<decltype(process)>> chain{
      .process = process, .source = with_cancel(context), .books = {}};
  chain.books.with([&](detail::Books& b) { b.waiting = jobs; });
  chain.work(std::min(limit, jobs.size()));
  return chain.books.with([](detail::Books& b) -> Result<FanOut> {
    if (b.cause) return std::unexpected(*std::move(b.cause));
    return b.tally;
  });
}

}  // namespace futures
