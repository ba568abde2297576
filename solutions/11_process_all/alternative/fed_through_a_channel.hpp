// Right: the caller hands out the jobs through one channel and collects the outcomes from
// another; it alone decides what starts and what is the first error.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"

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
  auto [orders, inbox] = make_channel<const Job*>(1);
  // Room for everything that can ever be said, so that nobody waits for the caller to listen.
  auto [said, news] = make_channel<Result<void>>(jobs.size() + 1);
  std::atomic<std::size_t> at_work{0};
  std::atomic<std::size_t> peak{0};
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < std::min(limit, jobs.size()); ++i) {
    threads.emplace_back([&, my_inbox = inbox, my_said = said] {
      while (auto job = my_inbox.receive()) {
        const std::size_t now = ++at_work;
        std::size_t most = peak;
        while (most < now && !peak.compare_exchange_weak(most, now)) {
        }
        auto outcome = detail::call(process, source.context(), **job);
        --at_work;
        (void)my_said.send(std::move(outcome));
      }
    });
  }
  FanOut counts;
  std::size_t running = 0;
  std::optional<Error> first_error;
  const auto listen = [&, &incoming = news] {
    auto outcome = incoming.receive();
    --running;
    if (*outcome) {
      ++counts.completed;
    } else if (!first_error) {
      first_error = outcome->error();
      source.cancel();
    }
  };
  for (const Job& job : jobs) {
    if (running == threads.size()) listen();
    if (!first_error) first_error = source.context().error();
    if (first_error) break;
    ++running;
    (void)orders.send(&job);
  }
  while (running > 0) listen();
  orders.close();
  for (auto& thread : threads) thread.join();
  if (first_error) return std::unexpected(*first_error);
  counts.peak = peak;
  return counts;
}

}  // namespace futures
